"""FGP, the Fine-Grained Perception module: prompts look at the patches of one level.

Symbols of the paper: ``G_t`` is ``text``, ``F_m^l`` is ``patches``, ``G̃_t^l`` is the result. One module
serves all levels. There is no 1/√d scaling and no residual.

Departures: none in the function. ``forward`` computes it folded: the key projection is folded into the query
(its bias adds the same to every patch and cancels in the softmax) and the value projection is applied after
pooling (the attention weights sum to one), so the cost per level falls from 2·N·D² to 4·heads·D².
Source: ViP²-CLIP, section 3.3.
"""

from __future__ import annotations

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class FineGrainedPerception(nn.Module):
    """Cross-attention of text tokens over image patches.

    Args:
        dim: Width of the joint space; a multiple of ``heads``.
        heads: Attention heads (8 in the paper).
    """

    def __init__(self, dim: int, heads: int = 8) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)

    def forward(
        self, text: Float[Tensor, "batch state dim"], patches: Float[Tensor, "batch patch dim"]
    ) -> Float[Tensor, "batch state dim"]:
        """Return text features refined by one level's patches, L2-normalised."""
        query = self._heads(self.query(text))
        key = rearrange(self.key.weight, "(head width) dim -> head width dim", head=self.heads)
        folded = einsum(query, key, "b head s width, head width dim -> b head s dim")
        weights = einsum(folded, patches, "b head s dim, b patch dim -> b head s patch").softmax(-1)
        pooled = einsum(weights, patches, "b head s patch, b patch dim -> b head s dim")
        value = rearrange(self.value.weight, "(head width) dim -> head width dim", head=self.heads)
        attended = einsum(pooled, value, "b head s dim, head width dim -> b s head width")
        return self._finish(attended.flatten(2) + self.value.bias)

    def every(
        self, text: Float[Tensor, "batch state dim"], patches: Float[Tensor, "level batch patch dim"]
    ) -> Float[Tensor, "level batch state dim"]:
        """Return text features refined by the patches of every level."""
        return torch.stack([self(text, level) for level in patches])

    def plain(
        self, text: Float[Tensor, "batch state dim"], patches: Float[Tensor, "batch patch dim"]
    ) -> Float[Tensor, "batch state dim"]:
        """Return the same by the formula as it is printed: the reference for ``forward``."""
        query, key, value = (
            self._heads(project(x))
            for project, x in ((self.query, text), (self.key, patches), (self.value, patches))
        )
        attended = (query @ key.transpose(-1, -2)).softmax(-1) @ value
        return self._finish(rearrange(attended, "b head s width -> b s (head width)"))

    def _heads(self, tokens: Tensor) -> Tensor:
        return rearrange(tokens, "b token (head width) -> b head token width", head=self.heads)

    def _finish(self, attended: Tensor) -> Tensor:
        return F.normalize(self.output(attended), dim=-1)
