"""Masks: where a picture visibly changed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from zerosight.synthesis.surfaces.fields import Picture, Plane, smooth

Mask = Bool[np.ndarray, "height width"]

_SMALLEST = 6
_FLOOR = 0.025


def luma(picture: Picture) -> Plane:
    """Return the brightness as the eye weighs it."""
    return 0.299 * picture[..., 0] + 0.587 * picture[..., 1] + 0.114 * picture[..., 2]


def activity(picture: Picture, grain: float) -> Plane:
    """Return how strongly brightness varies around each pixel, which hides changes.

    Args:
        picture: The unchanged picture.
        grain: Standard deviation of the noise that the camera will add.
    """
    grey = smooth(luma(picture), 1.0)
    detail = grey - smooth(grey, 5.0)
    return np.sqrt(np.maximum(smooth(detail * detail, 10.0), 0) + np.float32((0.5 * grain) ** 2))


def changed(before: Picture, after: Picture, hidden_by: Plane) -> Plane:
    """Return the visible change of each pixel; 1 is the least that is seen."""
    difference = after - before
    brightness = np.abs(smooth(luma(difference), 1.0))
    red, green, blue = (difference[..., k] for k in range(3))
    hue = np.maximum(np.abs(red - green), np.abs(green - blue))
    visible = np.maximum(brightness, 0.3 * smooth(hue, 1.0))
    return visible / np.maximum(_FLOOR, 0.6 * hidden_by)


def visible_mask(change: Plane, within: Plane) -> Mask:
    """Return where the change is seen, closed over small gaps and without specks.

    Args:
        change: As from :func:`changed`.
        within: Opacity of the defect; nothing is marked where it is 0.
    """
    empty = np.zeros(change.shape, dtype=bool)
    support = within > 0.05
    seen = (change > 1) & support
    if seen.sum() < _SMALLEST:
        return empty
    box = _bounds(seen, margin=8)
    part, allowed = seen[box], support[box]
    rounds = 1 if part.sum() < 150 else 4
    part = (
        ndimage.binary_closing(np.pad(part, rounds), iterations=rounds)[rounds:-rounds, rounds:-rounds]
        & allowed
    )
    part = _without_specks(_filled(part) & allowed)
    if change[box][part].sum() < 1.25 * part.sum() or part.sum() < 0.25 * (within[box] > 0.5).sum():
        return empty
    empty[box] = part
    return empty


def _bounds(mask: Mask, margin: int) -> tuple[slice, slice]:
    """Return the rows and columns that hold the mask, widened by a margin."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )


def _filled(mask: Mask) -> Mask:
    """Return the mask without enclosed holes."""
    return np.asarray(ndimage.binary_fill_holes(mask), dtype=bool)


def _without_specks(mask: Mask) -> Mask:
    """Return the mask without pieces far smaller than the largest."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    return (areas >= max(_SMALLEST, 0.01 * areas.max()))[pieces] & mask
