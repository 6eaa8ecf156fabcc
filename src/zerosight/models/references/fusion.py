"""Several sources of anomaly, zero-shot levels among them, on one scale and then one.

Each source's map is measured in spreads from its mean on the patches of held-out normal images: a source that
gives alarms on normal images counts for as little as it deserves. The weighted mean is the map, the mean of
its largest patches the score, so image and pixels never contradict each other. Both are bent into [0, 1] such
that the threshold becomes 0.5; the bend never saturates, so no order of scores is lost.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

TOP = 0.1
"""Share of an image's patches, the most anomalous, whose mean is the score of the image."""
LEAST_SPREAD = 0.02
"""Of a source's mean: identical normal images have no spread at all."""


def top_mean(grids: Float[Tensor, "*batch patch"], share: float = TOP) -> Float[Tensor, "*batch"]:
    """Return the mean of the largest values.

    Args:
        grids: Values of patches.
        share: Of the patches, in (0, 1]; at least one is taken.
    """
    count = max(1, round(share * grids.shape[-1]))
    return grids.topk(count, dim=-1).values.mean(-1)


def bend(values: Tensor) -> Tensor:
    """Return values of any size in (0, 1), in the same order; 0 becomes 0.5.

    >>> bend(torch.tensor([-1.0, 0.0, 3.0]))
    tensor([0.2500, 0.5000, 0.8750])
    """
    return 0.5 + 0.5 * values / (1 + values.abs())


class Fusion(nn.Module):
    """The weighted mean of all sources, each on the scale of the normal images.

    Args:
        centres: Of every source.
        spreads: Likewise, larger than 0.
        weights: Of every source, summing to 1.
        thresholds: Of fused scores and of fused maps; they become 0.5.
    """

    def __init__(
        self,
        centres: Float[Tensor, "source"],
        spreads: Float[Tensor, "source"],
        weights: Float[Tensor, "source"],
        thresholds: Float[Tensor, "2"],
    ) -> None:
        super().__init__()
        self.register_buffer("factors", (weights / spreads).float())
        self.register_buffer("offset", (weights * centres / spreads).sum().float())
        self.register_buffer("thresholds", thresholds.float())

    def forward(self, grids: Float[Tensor, "batch source patch"]) -> Float[Tensor, "batch patch"]:
        """Return the fused values of patches, in spreads from the normal mean."""
        return torch.einsum("bsp,s->bp", grids, self.get_buffer("factors")) - self.get_buffer("offset")

    def calibrate_scores(self, fused: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        """Return fused scores in (0, 1); the threshold is at 0.5."""
        return bend(fused - self.get_buffer("thresholds")[0])

    def calibrate_maps(self, fused: Float[Tensor, "*map"]) -> Float[Tensor, "*map"]:
        """Return fused maps in (0, 1); the threshold is at 0.5."""
        return bend(fused - self.get_buffer("thresholds")[1])


def fit_scales(
    held_out: Float[Tensor, "image source patch"],
) -> tuple[Float[Tensor, "source"], Float[Tensor, "source"]]:
    """Return the centres and spreads of the sources.

    Args:
        held_out: What they say of at least one normal image, made without it.
    """
    values = held_out.transpose(1, 2).flatten(0, 1)
    centres = values.mean(0)
    return centres, torch.maximum(values.std(0), LEAST_SPREAD * centres.abs() + 1e-6)


def as_array(values: Tensor) -> np.ndarray:
    """Return a tensor as an array in fp64."""
    return values.detach().cpu().double().numpy()
