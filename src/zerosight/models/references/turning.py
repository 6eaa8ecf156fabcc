"""Turned and mirrored copies of normal images: what may come in any position should be known in any.

Where parts always lie the same way, a turned copy says that what is wrong there is normal: an arrow that
points down, a mirrored letter. So the normal images can choose: copies are made where turned images look as
normal as the others find them upright (:func:`zerosight.models.references.fit.choose_augment`).

A copy is turned by right angles: no pixel is made up, and every patch is known by its place in the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8

Augment = Literal["none", "flips", "turns"]
"""No copies; three mirrored ones (across, upside down, both); all seven of right angles and mirrors."""


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """A way to turn an image.

    Attributes:
        quarters: Quarter turns, counter-clockwise.
        mirrored: Whether left and right are exchanged afterwards.
    """

    quarters: int
    mirrored: bool

    def __call__(
        self, images: UInt8[np.ndarray, "image size size 3"]
    ) -> UInt8[np.ndarray, "image size size 3"]:
        """Return turned images."""
        turned = np.rot90(images, self.quarters, axes=(1, 2))
        return np.ascontiguousarray(turned[:, :, ::-1] if self.mirrored else turned)

    def places(self, patches: int) -> list[int]:
        """Return, for every patch of a turned image, which one of the image as it was it shows.

        >>> Turn(0, True).places(4)
        [1, 0, 3, 2]
        """
        side = round(patches**0.5)
        grid = np.rot90(np.arange(patches).reshape(side, side), self.quarters)
        return [int(place) for place in (grid[:, ::-1] if self.mirrored else grid).ravel()]


FLIPS = (Turn(0, True), Turn(2, False), Turn(2, True))
TURNS: dict[Augment, tuple[Turn, ...]] = {
    "none": (),
    "flips": FLIPS,
    "turns": (*FLIPS, Turn(1, False), Turn(1, True), Turn(3, False), Turn(3, True)),
}
"""Copies that each choice makes, the image as it is aside; the choices in growing order."""
