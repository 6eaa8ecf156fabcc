"""Pixel AUROC of resampled images, from counts per image: whole images are drawn, their pixels pooled."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from zerosight.metrics.bootstrap import draws
from zerosight.metrics.curves import roc_area


def pooled_counts(
    scores: Shaped[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"], bins: int
) -> Int64[np.ndarray, "2 bins"]:
    """Return how many normal and anomalous pixels of one map lie in each bin of [0, 1].

    Args:
        scores: In [0, 1].
        mask: True where anomalous.
        bins: How many.
    """
    place = np.minimum((scores * bins).astype(np.int64), bins - 1).ravel()
    every = np.bincount(place, minlength=bins)
    anomalous = np.bincount(place[mask.ravel()], minlength=bins)
    return np.stack([every - anomalous, anomalous])


def pooled_auroc_values(
    counts: Int64[np.ndarray, "images 2 bins"],
    groups: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Float64[np.ndarray, " kept"]:
    """Return the pixel AUROC of every resample; one with one class only is left out.

    Pixels of one bin are ties, so a value is off by at most half the share of normal pixels in the fullest
    bin.

    Args:
        counts: Of every image, from :func:`pooled_counts`.
        groups: Group of each image; whole groups are drawn.
        resamples: How many.
        seed: Of the draws.
    """
    flat = counts[..., ::-1].reshape(len(counts), -1).astype(np.float64)
    values = []
    for weights in draws(groups, len(counts), resamples, seed):
        sums = np.rint(weights @ flat).astype(np.int64)  # exact, as floats hold whole numbers up to 2^53
        pooled = sums.reshape(len(weights), 2, -1).cumsum(-1)
        both = (pooled[:, :, -1] > 0).all(-1)
        values.append(roc_area(pooled[both, 0], pooled[both, 1]))
    return np.concatenate(values)
