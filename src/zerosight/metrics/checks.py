"""What every engine asks of scores, masks and labels before it counts them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Shaped

from zerosight.errors import DataError


def score_bounds(scores: Shaped[np.ndarray, "..."], name: str) -> tuple[float, float]:
    """Return the smallest and largest score.

    Args:
        scores: Scores of any shape.
        name: What they are, such as ``"map 3"``, for the error.

    Raises:
        DataError: There are none, or one is NaN or infinite.
    """
    if scores.size == 0:
        raise DataError(f"{name} holds no scores: every map needs at least one pixel")
    low, high = float(np.min(scores)), float(np.max(scores))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(
            f"{name} holds NaN or infinite scores: every score must be finite; leave it out or mend it"
        )
    return low, high


def binary_mask(mask: Shaped[np.ndarray, "height width"], name: str) -> Bool[np.ndarray, "height width"]:
    """Return the mask as booleans.

    Args:
        mask: Booleans, or numbers 0 and 1.
        name: As in :func:`score_bounds`.

    Raises:
        DataError: The mask has other values than 0 and 1.
    """
    if mask.dtype != np.bool_ and mask.size and not np.isin(np.array([mask.min(), mask.max()]), (0, 1)).all():
        raise DataError(
            f"the mask of {name} has values from {mask.min()} to {mask.max()}, not only 0 and 1: "
            "pass booleans, such as mask > 127"
        )
    return mask.astype(np.bool_, copy=False)


def binary_labels(labels: Shaped[np.ndarray, " images"]) -> Bool[np.ndarray, " images"]:
    """Return labels as booleans, True for anomalous.

    Raises:
        DataError: A label is neither 0 nor 1.
    """
    wrong = np.flatnonzero(~np.isin(labels, (0, 1)))
    if wrong.size:
        first = int(wrong[0])
        raise DataError(
            f"label {first} is {labels[first]}: labels are 0 (normal) or 1 (anomalous); leave others out"
        )
    return labels.astype(np.bool_)
