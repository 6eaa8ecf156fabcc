"""What was predicted about findings and what is true, checked before anything is counted."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from zerosight.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class FindingData:
    """What was predicted about images and what is true; made by :func:`finding_data`, which checks it.

    Attributes:
        scores: Finite scores; higher is more likely present. AUROC and AP come from them.
        probabilities: In [0, 1]. Thresholds and calibration are about them.
        labels: 1 present, 0 absent, NaN not known.
        groups: Patient of each image, None for an image on its own.
    """

    scores: Float64[np.ndarray, "images classes"]
    probabilities: Float64[np.ndarray, "images classes"]
    labels: Float64[np.ndarray, "images classes"]
    groups: tuple[Hashable | None, ...]

    def known(self, column: int) -> Int64[np.ndarray, " known"]:
        """Return the images whose label for a class is known."""
        return np.flatnonzero(~np.isnan(self.labels[:, column]))


def finding_data(
    scores: Shaped[np.ndarray, "images classes"],
    probabilities: Shaped[np.ndarray, "..."],
    labels: Shaped[np.ndarray, "..."],
    groups: Sequence[Hashable | None] | None = None,
) -> FindingData:
    """Return the data, checked.

    Args:
        scores: Finite scores; higher is more likely present.
        probabilities: In [0, 1].
        labels: 1 present, 0 absent, NaN not known.
        groups: Patient of each image; None, for one or all, makes an image a group of its own.

    Raises:
        DataError: Shapes differ, there is no image or class, or a value is not allowed; names the first one.
    """
    images, number = len(scores), "no" if groups is None else len(groups)
    shapes = (scores.shape, probabilities.shape, labels.shape)
    if len(set(shapes)) > 1 or not scores.size or number not in ("no", images):
        raise DataError(
            f"scores, probabilities and labels have shapes {', '.join(map(str, shapes))} and there are "
            f"{number} groups: give one row per image and one column per finding"
        )
    for name, values, allowed, right in (
        ("score", scores, "a finite number", np.isfinite(scores)),
        ("probability", probabilities, "from 0 to 1", (probabilities >= 0) & (probabilities <= 1)),
        ("label", labels, "1, 0 or NaN (not known)", np.isin(labels, (0, 1)) | np.isnan(labels)),
    ):
        wrong = np.argwhere(~right)
        if wrong.size:
            row, column = wrong[0]
            got = values[row, column]
            raise DataError(f"the {name} of image {row}, finding {column} is {got}: it should be {allowed}")
    return FindingData(
        scores=scores.astype(np.float64),
        probabilities=probabilities.astype(np.float64),
        labels=labels.astype(np.float64),
        groups=(None,) * images if groups is None else tuple(groups),
    )
