"""Pixels as a backbone wants them: the constants that belong to its weights, and resizing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a backbone wants its pixels.

    The image is squashed to a square with PIL's bicubic filter *before* it is converted to RGB, as the
    published ViP²-CLIP does: for palette and alpha images the order changes the result. The aspect ratio is
    not kept.

    Attributes:
        size: Height and width of the model's input, in pixels.
        mean: Per channel, subtracted from values in [0, 1].
        std: Per channel, divides afterwards.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def pixels(self, image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
        """Return the resized RGB pixels, before normalisation."""
        resized = image.resize((self.size, self.size), Image.Resampling.BICUBIC)
        return np.array(resized.convert("RGB"))

    def mask(self, mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "size size"]:
        """Return a defect mask at the model's size: bilinear on 0/255, then above one half."""
        image = Image.fromarray(mask.astype(np.uint8) * 255)
        resized = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return np.array(resized) > 127


def resize_map(
    anomaly_map: Float[np.ndarray, "height width"], size: tuple[int, int]
) -> Float32[np.ndarray, "new_height new_width"]:
    """Return a map resampled bilinearly to (height, width).

    Args:
        anomaly_map: Values of any range.
        size: Height and width wanted, in pixels.
    """
    image = Image.fromarray(np.ascontiguousarray(anomaly_map, dtype=np.float32))
    return np.array(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))
