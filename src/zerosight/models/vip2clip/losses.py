"""The training losses, without one-hot copies of the masks.

Departures: none. Probabilities of two states add up to one, so only the abnormal map is stored and the normal
one is its complement.
Source: ViP²-CLIP, section 3.5 and its published implementation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

SMOOTH = 1e-5


@dataclass(frozen=True, slots=True)
class Losses:
    """The terms of the training loss, per level where they have levels."""

    focal: Float[Tensor, "level"]
    dice_abnormal: Float[Tensor, "level"]
    dice_normal: Float[Tensor, "level"]
    cross_entropy: Float[Tensor, ""]

    @property
    def total(self) -> Float[Tensor, ""]:
        """The sum of all terms."""
        return (self.focal + self.dice_abnormal + self.dice_normal).sum() + self.cross_entropy


def training_losses(
    maps: Float[Tensor, "level batch height width"],
    image_logits: Float[Tensor, "batch 2"],
    masks: Bool[Tensor, "batch height width"],
    labels: Int[Tensor, "batch"],
) -> Losses:
    """Return every term of the loss.

    Args:
        maps: Abnormal probability per level, in [0, 1].
        image_logits: Mean cosine pair divided by the temperature.
        masks: True where a pixel is anomalous.
        labels: 0 normal, 1 anomalous.
    """
    target = masks.to(maps.dtype).expand_as(maps)
    return Losses(
        focal=focal(maps, target),
        dice_abnormal=dice(maps, target),
        dice_normal=dice(1 - maps, 1 - target),
        cross_entropy=F.cross_entropy(image_logits, labels),
    )


def focal(
    maps: Float[Tensor, "level batch height width"],
    target: Float[Tensor, "level batch height width"],
    gamma: float = 2.0,
) -> Float[Tensor, "level"]:
    """Return the focal loss per level, mean over pixels; targets are smoothed to [1e-5, 1 − 1e-5]."""
    true_class = torch.where(target > 0.5, maps, 1 - maps)
    probability = true_class * (1 - 2 * SMOOTH) + 2 * SMOOTH
    return -((1 - probability).pow(gamma) * probability.log()).mean(dim=(1, 2, 3))


def dice(
    maps: Float[Tensor, "level batch height width"], target: Float[Tensor, "level batch height width"]
) -> Float[Tensor, "level"]:
    """Return 1 − (2·Σpg + 1)/(Σp + Σg + 1), per image, mean over the batch."""
    overlap = (maps * target).sum(dim=(2, 3))
    total = maps.sum(dim=(2, 3)) + target.sum(dim=(2, 3))
    return 1 - ((2 * overlap + 1) / (total + 1)).mean(dim=1)
