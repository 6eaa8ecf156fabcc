"""Anomalous regions of a mask: 8-connected, so that regions that touch by a corner are one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64
from scipy import ndimage


def region_weights(mask: Bool[np.ndarray, "height width"]) -> tuple[Float64[np.ndarray, " pixels"], int]:
    """Return 1 / (area of its region) of every anomalous pixel in row order, and the number of regions.

    >>> weights, count = region_weights(np.array([[True, False, False, True], [False, True, False, True]]))
    >>> weights.tolist(), count
    ([0.5, 0.5, 0.5, 0.5], 2)
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3), dtype=bool))
    inside = labels[mask]
    return 1.0 / np.bincount(inside, minlength=count + 1)[inside], count
