"""ViP²-CLIP with a part exchanged for a simpler one; its ``forward`` stays the only one there is."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zerosight.models.baselines.config import Vip2Method
from zerosight.models.vip2clip.fgp import FineGrainedPerception
from zerosight.models.vip2clip.model import Vip2Clip


class Blind(nn.Module):
    """Shows zeros instead of the image."""

    def forward(self, pooled: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Return zeros."""
        return torch.zeros_like(pooled)


class Nothing(nn.Module):
    """A Meta-Net that adds nothing.

    Args:
        width: Of the text tower's tokens.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, pooled: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch width"]:
        """Return zeros."""
        return pooled.new_zeros(pooled.shape[0], self.width)


class PartialPerception(nn.Module):
    """An FGP that looks at some levels only; at the others the text feature stays as it is.

    Args:
        fgp: The module.
        levels: Those at which it looks, counted from 1.
    """

    def __init__(self, fgp: FineGrainedPerception, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.fgp, self.levels = fgp, levels

    def every(
        self, text: Float[Tensor, "batch state dim"], patches: Float[Tensor, "level batch patch dim"]
    ) -> Float[Tensor, "level batch state dim"]:
        """Return the text features of every level."""
        seen = [
            self.fgp(text, level) if number in self.levels else text
            for number, level in enumerate(patches, start=1)
        ]
        return torch.stack(seen)


def exchange(model: Vip2Clip, method: Vip2Method) -> Vip2Clip:
    """Return the same model with the parts that a method wants."""
    ica = model.ica
    if method.conditions == "none":
        width = ica.conditioned.shape[1]
        ica.meta_nets = nn.ModuleList(Nothing(width) for _ in ica.meta_nets)
        ica.bias.requires_grad_(False)  # nothing looks at it
    elif method.conditions == "nothing":
        ica.meta_nets = nn.ModuleList(nn.Sequential(Blind(), net) for net in ica.meta_nets)
        ica.bias.requires_grad_(False)
    if method.perception is not None:
        if not method.perception:
            model.fgp.requires_grad_(False)
        model.add_module("fgp", PartialPerception(model.fgp, method.perception))
    return model
