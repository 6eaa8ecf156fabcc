"""What references see of an image: locally pooled patches of an image tower's middle stages.

The adapted tokens of the joint space are made to agree with words; what compares one part with another is
better read before that, where a tower offers it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures
from zerosight.backbones.image_tower import ImageTower

POOLED = 3
"""Side of the neighbourhood over which patches are averaged, in patches."""

Levels = tuple[Float[Tensor, "batch patch _"], ...]


@runtime_checkable
class StagedTower(Protocol):
    """An encoder that hands out its middle stages too, for the price of one pass."""

    def encode_stages(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[ImageFeatures, Float[Tensor, "batch patch channel"]]:
        """Return the features of preprocessed images, and its stages on the same grid."""
        ...


def look(
    encoder: DualEncoder | ImageTower, images: Float[Tensor, "batch 3 height width"]
) -> tuple[ImageFeatures | None, Levels]:
    """Return the features for words and the levels for references, from one pass.

    Args:
        encoder: A tower without stages of its own gives the levels of its joint space; one without words
            gives no features.
        images: Preprocessed.
    """
    if isinstance(encoder, ImageTower):
        return None, tuple(pooled(level) for level in encoder.encode_levels(images))
    if isinstance(encoder, StagedTower):
        features, stages = encoder.encode_stages(images)
        return features, (pooled(stages),)
    features = encoder.encode_image(images)
    return features, tuple(pooled(level) for level in features.patches)


def pooled(patches: Float[Tensor, "batch patch channel"]) -> Float[Tensor, "batch patch channel"]:
    """Return the mean over every patch's neighbourhood; at the border, over what there is of it."""
    side = round(patches.shape[1] ** 0.5)
    grid = patches.transpose(1, 2).unflatten(-1, (side, side))
    mean = F.avg_pool2d(grid, POOLED, 1, POOLED // 2, count_include_pad=False)
    return mean.flatten(2).transpose(1, 2)


def whole(levels: Levels) -> Float[Tensor, "batch dim"]:
    """Return one feature of each image as a whole: the mean of its patches, all levels in a row."""
    return torch.cat([level.mean(1) for level in levels], dim=1)
