"""Vision transformers of timm inside open_clip: SigLIP, EVA-CLIP, PE.

Their pooled feature is what the model's own head makes of the last block: attention pooling with a learnt
query (SigLIP, PE), a class token (EVA-CLIP), a mean.

The paper says nothing of such towers. What is chosen here: **the feature of a patch is what the model's own
head makes of that patch alone**, as if the image had no other. For a head that takes a class token that is
the last norm and the projection, as in the paper; for attention pooling, whose weights over one token are 1,
it is the value and output projections and what follows them. One rule, without weights of its own, which
lands in the joint space.

Departures: the paper's class token without the last norm and its bilinear positional table belong to OpenAI's
towers; here both are the model's own. The table is resized once, by timm, bicubic with antialias.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from open_clip.timm_model import TimmModel
from timm.layers.patch_embed import PatchEmbed
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn


class TappedTimm(nn.Module):
    """Pooled and patch features of chosen blocks of a timm vision transformer.

    Args:
        visual: open_clip's tower, for which :func:`is_transformer` holds; its weights are used in place, and
            it is set to the input size.
        blocks: Tapped blocks, counted from 1, ascending.
        size: Height and width of the images.
    """

    prefix = 0
    """Tokens before the patches in what ``forward`` returns."""

    def __init__(self, visual: TimmModel, blocks: tuple[int, ...], size: int) -> None:
        super().__init__()
        self.visual = visual
        self.trunk: Any = visual.trunk
        self.blocks = blocks
        self.paper = False
        if self.trunk.patch_embed.img_size != (size, size):
            visual.set_input_size(size)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "level batch patch dim"]]:
        """Return the pooled feature and the patches of the tapped blocks, in the joint space.

        Neither is normalised.
        """
        indices = [block - 1 for block in self.blocks]
        last, levels = self.trunk.forward_intermediates(images, indices, norm=True, output_fmt="NLC")
        return self._head(last), torch.stack([self._each_alone(level) for level in levels])

    def plain(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "level batch patch dim"]]:
        """Return the same: there is no shortcut."""
        return self(images)

    def halve(self) -> None:
        """Leave the tower as it is: its blocks are timm's own, which compute in fp32."""

    def _head(self, tokens: Tensor) -> Tensor:
        return self.visual.head(self.trunk.forward_head(tokens))

    def _each_alone(self, patches: Tensor) -> Tensor:
        """Return what the head makes of every patch, which also stands where it looks for a class token."""
        alone = patches.flatten(0, 1)[:, None].expand(-1, self.trunk.num_prefix_tokens + 1, -1)
        return self._head(alone).unflatten(0, patches.shape[:2])


def is_transformer(visual: nn.Module) -> bool:
    """Return whether this is a timm trunk that cuts images into patches and keeps them apart to the end."""
    if not isinstance(visual, TimmModel):
        return False
    trunk = visual.trunk
    return isinstance(trunk, VisionTransformer | Eva) and isinstance(trunk.patch_embed, PatchEmbed)
