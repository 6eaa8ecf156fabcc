"""Pixels as a backbone wants them: the constants that belong to its weights, and resizing."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image

Fit = Literal["squash", "pad", "crop"]
_AT_ONCE = 1 << 20  # pixels of a map that are made at a time


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a backbone wants its pixels.

    ``squash``: the image is squashed to a square with PIL's bicubic filter *before* it is converted to RGB,
    as the published ViP²-CLIP does: for palette and alpha images the order changes the result. The aspect
    ratio is not kept. ``pad``: it is kept; the image is resized, likewise, until its longer side fits, and
    put in the middle of a square of the mean colour. ``crop``: its middle is taken, as a square of its
    shorter side; a map is 0 beyond.

    Attributes:
        size: Height and width of the model's input, in pixels.
        mean: Per channel, subtracted from values in [0, 1].
        std: Per channel, divides afterwards.
        fit: How an image that is not square becomes one.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: Fit = "squash"

    @property
    def key(self) -> str:
        """The text that fingerprints, and so the names of caches, are made of; it changes with every field.

        A field that came later is left out where it has its default, so that adding one changes no key.

        >>> Preprocess(8, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0), "pad").key
        "Preprocess(size=8, mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0)), 'pad'"
        """
        first = f"Preprocess(size={self.size!r}, mean={self.mean!r}, std={self.std!r})"
        return first if self.fit == "squash" else f"{first}, {self.fit!r}"

    def pixels(self, image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
        """Return the resized RGB pixels, before normalisation."""
        if self.fit == "crop":
            rows, columns = _middle(image.height, image.width)
            image = image.crop((columns.start, rows.start, columns.stop, rows.stop))
        left, top, width, height = self.box(image.height, image.width)
        resized = image.resize((width, height), Image.Resampling.BICUBIC).convert("RGB")
        if (width, height) == (self.size, self.size):
            return np.array(resized)
        colour = (round(self.mean[0] * 255), round(self.mean[1] * 255), round(self.mean[2] * 255))
        square = Image.new("RGB", (self.size, self.size), colour)
        square.paste(resized, (left, top))
        return np.array(square)

    def box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return where an image lies in the model's input: left, top, width and height, in pixels.

        Of a cropped one, that is its middle.

        Args:
            height: Of the image, in pixels.
            width: Of the image, in pixels.

        >>> Preprocess(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "pad").box(50, 100)
        (0, 2, 8, 4)
        """
        if self.fit != "pad":
            return 0, 0, self.size, self.size
        longer = max(height, width)
        new_height = max(1, round(height * self.size / longer))
        new_width = max(1, round(width * self.size / longer))
        return (self.size - new_width) // 2, (self.size - new_height) // 2, new_width, new_height

    def unfit(
        self, square: Float[np.ndarray, "side side"], size: tuple[int, int]
    ) -> Float32[np.ndarray, "height width"]:
        """Return a map over the model's input as a map over the image: padding cut off, resized bilinearly.

        Args:
            square: Values of any range, on any square grid that covers the input.
            size: Height and width of the image, in pixels.
        """
        if self.fit == "crop":
            rows, columns = _middle(*size)
            whole = np.zeros(size, np.float32)
            whole[rows, columns] = resize_map(square, (rows.stop - rows.start, columns.stop - columns.start))
            return whole
        left, top, width, height = self.box(*size)
        side = len(square)  # multiplied before dividing: a square that was not padded is cut nowhere
        first_row, first_column = top * side // self.size, left * side // self.size
        rows = slice(first_row, ceil((top + height) * side / self.size))
        columns = slice(first_column, ceil((left + width) * side / self.size))
        image = np.ascontiguousarray(square[rows, columns], dtype=np.float32)
        start = (left * side / self.size - first_column, top * side / self.size - first_row)
        end = (
            min(start[0] + width * side / self.size, float(image.shape[1])),
            min(start[1] + height * side / self.size, float(image.shape[0])),
        )
        return _resampled(image, size, (*start, *end))

    def mask(self, mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "size size"]:
        """Return a defect mask at the model's size: bilinear on 0/255, then above one half; False beyond."""
        if self.fit == "crop":
            mask = mask[_middle(*mask.shape)]
        left, top, width, height = self.box(*mask.shape)
        image = Image.fromarray(mask.astype(np.uint8) * 255)
        square = np.zeros((self.size, self.size), dtype=bool)
        resized = np.array(image.resize((width, height), Image.Resampling.BILINEAR)) > 127
        square[top : top + height, left : left + width] = resized
        return square


def _middle(height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns of the square in an image's middle."""
    side = min(height, width)
    top, left = height // 2 - side // 2, width // 2 - side // 2
    return slice(top, top + side), slice(left, left + side)


def resize_map(
    anomaly_map: Float[np.ndarray, "height width"], size: tuple[int, int]
) -> Float32[np.ndarray, "new_height new_width"]:
    """Return a map resampled bilinearly to (height, width).

    Args:
        anomaly_map: Values of any range.
        size: Height and width wanted, in pixels.
    """
    values = np.ascontiguousarray(anomaly_map, dtype=np.float32)
    return _resampled(values, size, (0.0, 0.0, float(values.shape[1]), float(values.shape[0])))


def _resampled(
    values: Float32[np.ndarray, "height width"],
    size: tuple[int, int],
    box: tuple[float, float, float, float],
) -> Float32[np.ndarray, "new_height new_width"]:
    """Return a part of a map resampled bilinearly to (height, width).

    A large result is made some columns at a time, which holds it once, where Pillow and the way from it to
    an array hold it four times. It is the same to the bit: what is enlarged, Pillow resizes along the rows
    first, then column by column.
    """
    (height, width), (left, top, right, bottom) = size, box
    image = Image.fromarray(values)
    if height * width <= _AT_ONCE or height < image.height or width < image.width:
        return np.array(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
    wide = image.resize((width, image.height), Image.Resampling.BILINEAR, box=(left, 0, right, image.height))
    result = np.empty((height, width), np.float32)
    step = max(1, _AT_ONCE // height)
    for first in range(0, width, step):
        last = min(first + step, width)
        tall = wide.crop((first, 0, last, wide.height)).resize(
            (last - first, height), Image.Resampling.BILINEAR, box=(0, top, last - first, bottom)
        )
        result[:, first:last] = np.asarray(tall)
    return result
