"""Regions: where a finding is on an image, from a mask or from boxes, on a grid of points over the image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool
from PIL import Image

from zerosight.data.manifest import Dataset, located
from zerosight.data.masks import read_mask
from zerosight.data.rows import LEFT_LUNG, RIGHT_LUNG, Box

Region = str | tuple[Box, ...]
Grid = Bool[np.ndarray, "side side"]

LUNGS = frozenset({RIGHT_LUNG, LEFT_LUNG})

_FINE = 4  # boxes are drawn this many times finer and averaged down
_ACROSS, _DOWN = (0.29, 0.71), 0.43
_WIDE, _HIGH = 0.17, 0.34


def region_grid(dataset: Dataset, region: Region, side: int) -> Grid:
    """Return the points of a grid over the image that lie in a region.

    A point is in where at least half of what it stands for is; of a region smaller than that, every point
    that it touches is.

    Args:
        dataset: The data set that the region is of.
        region: The name of a mask, or boxes.
        side: Points across, and down.

    Raises:
        DataError: The mask cannot be read.
    """
    if isinstance(region, str):
        mask = read_mask(located(dataset, region), dataset.header.mask_threshold)
    else:
        mask = np.zeros((_FINE * side, _FINE * side), dtype=bool)
        for left, top, right, bottom in np.multiply(region, _FINE * side).tolist():
            mask[
                int(top) : max(int(top) + 1, round(bottom)), int(left) : max(int(left) + 1, round(right))
            ] = 1
    image = Image.fromarray(mask.astype(np.float32))
    share = np.array(image.resize((side, side), Image.Resampling.BOX))
    inside: Grid = share >= 0.5
    return inside if inside.any() else share > 0


def lung_grids(dataset: Dataset, regions: Mapping[str, Region], side: int) -> tuple[Grid, Grid]:
    """Return the points that lie in the patient's right and left lung.

    Where a data set does not say where they are, two upright ellipses stand for them, the same in every
    image: enough to tell a lung from the abdomen and right from left in a usual frontal view, no more.

    Args:
        dataset: The data set that the regions are of.
        regions: Of one image.
        side: Points across, and down.

    Raises:
        DataError: A mask cannot be read.
    """
    right, left = (
        region_grid(dataset, regions[name], side) if name in regions else _ellipse(centre, side)
        for name, centre in zip((RIGHT_LUNG, LEFT_LUNG), _ACROSS, strict=True)
    )
    return right, left


def _ellipse(centre: float, side: int) -> Grid:
    places = (np.arange(side) + 0.5) / side
    across, down = (places - centre) / _WIDE, (places - _DOWN) / _HIGH
    return across[None] ** 2 + down[:, None] ** 2 <= 1
