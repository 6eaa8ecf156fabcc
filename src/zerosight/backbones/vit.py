"""CLIP's vision transformer, read block by block at any input size.

open_clip's own forward pass is bound to the size the weights were trained at. Here the positional table is
resized per call, and every tapped block is brought to the joint space.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from zerosight.backbones.blocks import halve, is_lean, linear, run_block


class TappedViT(nn.Module):
    """Pooled and patch features of chosen blocks of a CLIP vision transformer.

    Args:
        visual: open_clip's tower; its weights are used in place.
        blocks: Tapped blocks, counted from 1, ascending.
        paper: True reproduces the published ViP²-CLIP: no ``ln_post`` on the class token and a positional
            table resized bilinearly without antialias. False follows open_clip: ``ln_post`` and bicubic with
            antialias. A tower that pools the mean of its patches (CLIPA) is pooled as open_clip does.
    """

    prefix = 1
    """Tokens before the patches in what ``forward`` returns: the class token."""

    def __init__(self, visual: VisionTransformer, blocks: tuple[int, ...], paper: bool = True) -> None:
        super().__init__()
        self.visual = visual
        self.blocks = blocks
        self.paper = paper
        self._positions: dict[int, Tensor] = {}

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "level batch token dim"]]:
        """Return the pooled feature and all tokens of the tapped blocks, in the joint space.

        Neither is normalised; the class token comes first.
        """
        tokens = self._embedded(images)
        if not self.is_lean:
            return self._finish(*self._as_they_are(tokens))
        tapped = []
        for number, block in enumerate(self.visual.transformer.resblocks, start=1):
            tokens, _ = run_block(block, tokens)
            if number in self.blocks:
                tapped.append(tokens)
        return self._finish(tokens, tapped)

    def plain(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "level batch token dim"]]:
        """Return the same by open_clip's own blocks: the reference for ``forward``."""
        return self._finish(*self._as_they_are(self._embedded(images)))

    @property
    def is_lean(self) -> bool:
        """Whether the blocks are of the usual kind, which ``forward`` computes itself."""
        return all(is_lean(block) for block in self.visual.transformer.resblocks)

    def halve(self) -> None:
        """Give blocks of the usual kind bf16 copies of their matrices."""
        for block in self.visual.transformer.resblocks if self.is_lean else ():
            halve(block)

    def _embedded(self, images: Tensor) -> Tensor:
        visual = self.visual
        tokens = visual.conv1(images)
        grid = tokens.shape[-1]
        tokens = tokens.flatten(2).transpose(1, 2)
        cls = visual.class_embedding.expand(tokens.shape[0], 1, -1)
        return visual.ln_pre(torch.cat([cls, tokens], dim=1) + self.positions(grid))

    def _as_they_are(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        indices = [block - 1 for block in self.blocks]
        return self.visual.transformer.forward_intermediates(tokens, indices=indices)

    def _finish(self, last: Tensor, tapped: list[Tensor]) -> tuple[Tensor, Tensor]:
        visual = self.visual
        joint = visual.proj.T
        return linear(self._pooled(last), joint, None), torch.stack(
            [linear(visual.ln_post(level), joint, None) for level in tapped]
        )

    def _pooled(self, last: Tensor) -> Tensor:
        visual = self.visual
        if visual.pool_type == "tok":
            return last[:, 0] if self.paper else visual.ln_post(last[:, 0])
        patches = last[:, 1:]
        if visual.final_ln_after_pool:
            return visual.ln_post(patches.mean(1))
        return visual.ln_post(patches).mean(1)

    def positions(self, grid: int) -> Float[Tensor, "token width"]:
        """Return the positional table for a grid of the given side, resized once and remembered."""
        table = self.visual.positional_embedding
        native = round((len(table) - 1) ** 0.5)
        if grid == native:
            return table
        known = self._positions.get(grid)
        if known is None or known.device != table.device:
            known = self._positions[grid] = self._resized(table.detach(), native, grid)
        return known

    def _resized(self, table: Tensor, native: int, grid: int) -> Tensor:
        square = table[1:].T.reshape(1, -1, native, native)
        if self.paper:
            square = F.interpolate(square, (grid, grid), mode="bilinear", align_corners=False)
        else:
            square = F.interpolate(square, (grid, grid), mode="bicubic", align_corners=False, antialias=True)
        return torch.cat([table[:1], square.flatten(2)[0].T])
