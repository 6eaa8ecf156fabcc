"""Projection heads: from the decoder's width to the space that images, reports and anchors share.

Our default, not the paper's: one two-layer perceptron per modality, for its global and its local feature.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class ProjectionHead(nn.Module):
    """Two layers with a GELU between them, and a length of 1 behind them.

    Args:
        width: Width of the decoder's states.
        hidden: Width between the layers.
        dim: Width of the shared space.
    """

    def __init__(self, width: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, dim)

    def forward(self, states: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes dim"]:
        """Return projected, L2-normalised features in fp32."""
        inner = F.gelu(self.first(states.to(self.first.weight.dtype)))
        return F.normalize(self.second(inner).float(), dim=-1)
