"""AUPRO as the published code computes it: the variant that the paper's tables hold.

Its thresholds run from the smallest to the largest score in 200 equal steps (201 where rounding adds one);
the step is the distance from the first threshold to the second, both rounded to the maps' own precision, as
``numpy.arange`` has it. A pixel is called anomalous where its score is strictly above. Only points with a
false-positive rate below the limit are kept, their rates are rescaled by their own smallest and largest, and
the area is taken by the trapezoid rule. Unlike the exact variant, it neither starts at the origin nor
reaches the limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from zerosight.metrics.curves import trapezoid
from zerosight.metrics.result import Metric

STEPS = 200


@dataclass(frozen=True, slots=True, eq=False)
class OverlapPoints:
    """False-positive rate and mean overlap at rising thresholds, each between two bounds.

    Attributes:
        rate: False-positive rates, in [0, 1].
        overlap: Mean overlaps with the regions, in [0, 1].
        rate_low, rate_high, overlap_low, overlap_high: What they can be at least and at most; where nothing
            was binned, the values themselves.
    """

    rate: Float64[np.ndarray, " points"]
    overlap: Float64[np.ndarray, " points"]
    rate_low: Float64[np.ndarray, " points"]
    rate_high: Float64[np.ndarray, " points"]
    overlap_low: Float64[np.ndarray, " points"]
    overlap_high: Float64[np.ndarray, " points"]

    @property
    def is_exact(self) -> bool:
        """Whether the bounds leave no room."""
        return np.array_equal(self.rate_low, self.rate_high) and np.array_equal(
            self.overlap_low, self.overlap_high
        )


def published_thresholds(low: float, high: float, precision: np.dtype) -> Float64[np.ndarray, " points"]:
    """Return the published thresholds, rising from ``low`` to below ``high``; none where these are equal.

    Args:
        low: Smallest score of all maps.
        high: Largest score of all maps.
        precision: Floating-point type of the maps.
    """
    start, stop = precision.type(low), precision.type(high)
    step = (stop - start) / precision.type(STEPS)
    if not step > 0:
        return np.empty(0)
    count = math.ceil((stop - start) / step)
    return float(start) + np.arange(count) * (float(start + step) - float(start))


def published_aupro(points: OverlapPoints, limit: float) -> Metric:
    """Return the published AUPRO, in [0, 1], with its error bound.

    Args:
        points: At the thresholds of :func:`published_thresholds`.
        limit: False-positive rates below it are kept, in (0, 1].
    """
    if not points.rate.size:
        return Metric.undefined("all scores are equal")
    kept = points.rate < limit
    rate = points.rate[kept]
    if rate.size < 2 or rate[0] == rate[-1]:
        return Metric.undefined(
            f"fewer than two of the {STEPS} thresholds have rates below {limit:g} that differ"
        )
    value = -float(trapezoid(rate, points.overlap[kept])) / float(rate[0] - rate[-1])
    if points.is_exact:
        return Metric(value)
    return Metric(value, error=_error(points, limit, value))


def _error(points: OverlapPoints, limit: float, value: float) -> float:
    """Return how far the true value can be from ``value``, whichever points are truly kept; at most 1."""
    first = int(np.argmax(points.rate_low < limit))
    surely = points.rate_high < limit
    last = int(np.argmax(surely)) if surely.any() else points.rate.size
    if last > points.rate.size - 2:
        return 1.0
    return min(1.0, max(_error_from(points, start, value) for start in range(first, last + 1)))


def _error_from(points: OverlapPoints, start: int, value: float) -> float:
    """Return how far area over width can be from ``value`` when the points from ``start`` on are kept.

    With A the area and W the width, A/W − value = (A − value·W)/W. A − value·W rises with every overlap and
    is linear in every rate, so its extremes lie at corners of the box of bounds.
    """
    low, high = points.rate_low[start:], points.rate_high[start:]
    narrowest = low[0] - high[-1]
    if narrowest <= 0:
        return 1.0
    above = _excess(points.overlap_high[start:], value, positive=high, negative=low)
    below = _excess(points.overlap_low[start:], value, positive=low, negative=high)
    return max(above, -below, 0.0) / float(narrowest)


def _excess(
    overlap: Float64[np.ndarray, " kept"],
    value: float,
    positive: Float64[np.ndarray, " kept"],
    negative: Float64[np.ndarray, " kept"],
) -> float:
    """Return area − value × width, with each rate from one of two bounds by the sign of its weight.

    The weight of rate i is (overlap[i + 1] − overlap[i − 1]) / 2 inside, the mean of the first two overlaps
    less ``value`` at the start, and ``value`` less the mean of the last two at the end.
    """
    weight = np.empty_like(overlap)
    weight[1:-1] = (overlap[2:] - overlap[:-2]) / 2
    weight[0] = (overlap[0] + overlap[1]) / 2 - value
    weight[-1] = value - (overlap[-1] + overlap[-2]) / 2
    return float(np.sum(weight * np.where(weight > 0, positive, negative)))
