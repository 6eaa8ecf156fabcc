"""Masks: from a file to the pixels that are anomalous."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool

from zerosight.data.pixels import read_image
from zerosight.errors import DataError, EmptyMaskError, ImageReadError


def read_mask(
    path: Path | str, threshold: int = 0, shape: tuple[int, int] | None = None
) -> Bool[np.ndarray, "height width"]:
    """Return which pixels a mask marks as anomalous.

    Colours count by their brightest channel, and transparent pixels as dark. 16-bit values are read at 8 bits
    (1/257), so 16-bit class numbers below 129 vanish: save class numbers at 8 bits.

    Args:
        path: An image file of any format that :func:`zerosight.data.pixels.read_image` reads, or its address
            in a store.
        threshold: Values above it are anomalous, in 0 … 254: 0 for clean masks, 127 for JPEG
            and smooth edges.
        shape: Height and width of the image the mask belongs to; None does not compare.

    Raises:
        DataError: The mask cannot be read, or is not of the image's size.
    """
    try:
        image = read_image(path)
    except ImageReadError as error:
        raise DataError(f"mask {error}") from None
    if shape is not None and (image.height, image.width) != shape:
        raise DataError(
            f"mask {path}: is {image.width}×{image.height}, its image {shape[1]}×{shape[0]}; "
            "a mask should have its image's size"
        )
    if image.mode == "L":
        return np.asarray(image) > threshold
    pixels = np.asarray(image.convert("RGBA"))
    return (pixels[:, :, :3].max(axis=2) > threshold) & (pixels[:, :, 3] > threshold)


def read_anomaly_mask(
    path: Path | str, threshold: int, shape: tuple[int, int]
) -> Bool[np.ndarray, "height width"]:
    """Return which pixels of an anomalous image are anomalous: some are, or the mask is no truth to use.

    Args:
        path: As in :func:`read_mask`.
        threshold: As in :func:`read_mask`.
        shape: Height and width of the image.

    Raises:
        EmptyMaskError: The mask marks no pixel.
        DataError: The mask cannot be read, or is not of the image's size.
    """
    mask = read_mask(path, threshold, shape)
    if not mask.any():
        raise EmptyMaskError(f"{path}: marks no pixel, but its image has label 1")
    return mask
