"""The seam between image towers that know no words and the references built on them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zerosight.preprocess import Preprocess


@runtime_checkable
class ImageTower(Protocol):
    """A frozen image tower without a text tower: what compares images needs no words.

    Attributes:
        towers: The tower, frozen and in evaluation mode.
        preprocess: Constants that turn an image into its input.
        grid: Patches per side of the grid on which all levels lie.
    """

    towers: nn.Module
    preprocess: Preprocess
    grid: int

    @property
    def fingerprint(self) -> str:
        """Changes when the weights or the preprocessing change."""
        ...

    def encode_levels(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch patch _"], ...]:
        """Return the patches of preprocessed images at every level."""
        ...

    def fast(self) -> ImageTower:
        """Return a tower that computes in bf16."""
        ...

    def to(self, device: torch.device | str) -> ImageTower:
        """Move the tower to a device and return it."""
        ...
