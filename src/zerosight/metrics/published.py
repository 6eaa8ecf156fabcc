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
    low, high = _bounds(points, limit)
    return Metric(value, error=max(value - low, high - value, 0.0))


def _bounds(points: OverlapPoints, limit: float) -> tuple[float, float]:
    """Return what the value can be at least and at most, whichever points are kept."""
    first = int(np.argmax(points.rate_low < limit))
    surely = points.rate_high < limit
    last = int(np.argmax(surely)) if surely.any() else points.rate.size
    if last > points.rate.size - 2:
        return 0.0, 1.0
    each = [_bounds_from(points, start) for start in range(first, last + 1)]
    return min(low for low, _ in each), max(high for _, high in each)


def _bounds_from(points: OverlapPoints, start: int) -> tuple[float, float]:
    """Return the bounds of area over width when the points from ``start`` on are kept.

    The area rises with every overlap and is linear in every rate, so it is largest at a corner of the box
    of bounds; the width lies between its own two bounds.
    """
    rates = points.rate_low[start:], points.rate_high[start:]
    narrow, wide = rates[0][0] - rates[1][-1], rates[1][0] - rates[0][-1]
    if narrow <= 0:
        return 0.0, 1.0
    least = _corner(points.overlap_low[start:], *rates)
    most = _corner(points.overlap_high[start:], *reversed(rates))
    return max(least / wide, 0.0), min(most / narrow, 1.0)


def _corner(
    overlap: Float64[np.ndarray, " kept"],
    where_positive: Float64[np.ndarray, " kept"],
    where_negative: Float64[np.ndarray, " kept"],
) -> float:
    """Return the area with each rate taken from one bound or the other by the sign of its weight.

    The area is the sum over i of rate[i] × (overlap[i + 1] − overlap[i − 1]) / 2, with the mean of the last
    two overlaps subtracted at the right end and that of the first two added at the left.
    """
    weight = np.empty_like(overlap)
    weight[1:-1] = (overlap[2:] - overlap[:-2]) / 2
    weight[0] = (overlap[0] + overlap[1]) / 2
    weight[-1] = -(overlap[-1] + overlap[-2]) / 2
    return float(np.sum(weight * np.where(weight > 0, where_positive, where_negative)))
