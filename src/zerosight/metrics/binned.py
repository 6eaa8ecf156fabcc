"""The engine whose memory does not grow: counts per score bin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from zerosight.errors import ConfigError, DataError
from zerosight.metrics.checks import score_bounds
from zerosight.metrics.published import OverlapPoints, published_thresholds
from zerosight.metrics.regions import region_weights
from zerosight.metrics.tally import Tally

_SLACK = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class BinnedState:
    """Additive counts per score bin: adding the arrays of two shards gives the state of their union.

    Bin b of n holds the scores from ``low + b·(high − low)/n`` to below the next bin's start, the last bin
    also ``high``. Scores are never rescaled. Blurring may overshoot by rounding, so scores that lie outside
    the range by at most one millionth of its width count in the end bins. The error of every metric is
    bounded by :mod:`zerosight.metrics.bounds`: that of AUROC by half the share of the normal pixels that
    fall into the fullest bin.

    Attributes:
        score_range: Lowest and highest score, (low, high).
        normal: Normal pixels per bin.
        anomalous: Anomalous pixels per bin.
        overlap: Sum of 1 / (area of its region) over the anomalous pixels per bin.
        regions: Number of regions.
        images: Number of maps.
        lowest: Smallest score seen, infinite before the first.
        highest: Largest score seen, minus infinity before the first.
        precision: Widest floating-point type seen.
    """

    score_range: tuple[float, float]
    normal: Int64[np.ndarray, " bins"]
    anomalous: Int64[np.ndarray, " bins"]
    overlap: Float64[np.ndarray, " bins"]
    regions: int
    images: int
    lowest: float
    highest: float
    precision: np.dtype

    def update(
        self, scores: Shaped[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"]
    ) -> BinnedState:
        """Return the state with one more map counted.

        Raises:
            DataError: A score is not finite or outside the score range.
        """
        name = f"map {self.images}"
        low, high = score_bounds(scores, name)
        self._check_range(low, high, name)
        bins = self._bin(scores).ravel()
        normal = self.normal + np.bincount(bins, minlength=self.normal.size)
        anomalous, overlap, regions = self.anomalous, self.overlap, 0
        if mask.any():
            weights, regions = region_weights(mask)
            hits = bins[mask.ravel()]
            found = np.bincount(hits, minlength=self.normal.size)
            normal, anomalous = normal - found, anomalous + found
            overlap = overlap + np.bincount(hits, weights, minlength=self.normal.size)
        return replace(
            self,
            normal=normal,
            anomalous=anomalous,
            overlap=overlap,
            regions=self.regions + regions,
            images=self.images + 1,
            lowest=min(self.lowest, low),
            highest=max(self.highest, high),
            precision=np.result_type(self.precision, scores.dtype),
        )

    def merge(self, other: BinnedState) -> BinnedState:
        """Return the state of both shards together.

        Raises:
            DataError: The shards have different bins.
        """
        if (self.score_range, self.normal.size) != (other.score_range, other.normal.size):
            raise DataError(
                f"cannot merge {other.normal.size} bins over {other.score_range} into {self.normal.size} "
                f"over {self.score_range}: count both shards with the same bins and score_range"
            )
        return replace(
            self,
            normal=self.normal + other.normal,
            anomalous=self.anomalous + other.anomalous,
            overlap=self.overlap + other.overlap,
            regions=self.regions + other.regions,
            images=self.images + other.images,
            lowest=min(self.lowest, other.lowest),
            highest=max(self.highest, other.highest),
            precision=np.result_type(self.precision, other.precision),
        )

    def summary(self) -> tuple[Tally, OverlapPoints]:
        """Return the cumulative counts and the points of the published curve."""
        return self._tally(), self._published_points()

    def _tally(self) -> Tally:
        """Return the cumulative counts, one step per bin that holds a pixel."""
        used = np.flatnonzero(self.normal + self.anomalous)[::-1]
        low, high = self.score_range
        return Tally(
            thresholds=low + used * ((high - low) / self.normal.size),
            normal=np.cumsum(self.normal[used]),
            anomalous=np.cumsum(self.anomalous[used]),
            overlap=np.cumsum(self.overlap[used]),
            regions=self.regions,
            is_exact=False,
        )

    def _published_points(self) -> OverlapPoints:
        """Return the points of the published curve, linear within a bin and bounded by its two edges."""
        thresholds = published_thresholds(self.lowest, self.highest, self.precision)
        place = (thresholds - self.score_range[0]) * self._bins_per_unit()
        bins = np.clip(np.floor(place).astype(np.int64), 0, self.normal.size - 1)
        share = np.clip(bins + 1 - place, 0.0, 1.0)
        rate = _at_or_above(self.normal) / max(int(self.normal.sum()), 1)
        overlap = _at_or_above(self.overlap) / max(self.regions, 1)
        return OverlapPoints(
            rate=rate[bins + 1] + share * (rate[bins] - rate[bins + 1]),
            overlap=overlap[bins + 1] + share * (overlap[bins] - overlap[bins + 1]),
            rate_low=rate[bins + 1],
            rate_high=rate[bins],
            overlap_low=overlap[bins + 1],
            overlap_high=overlap[bins],
        )

    def _bins_per_unit(self) -> float:
        return self.normal.size / (self.score_range[1] - self.score_range[0])

    def _bin(self, scores: Shaped[np.ndarray, "height width"]) -> Int64[np.ndarray, "height width"]:
        """Return the bin of every score; rounding keeps their order."""
        place = np.subtract(scores, self.score_range[0], dtype=np.float64)
        place *= self._bins_per_unit()
        np.clip(place, 0, self.normal.size - 1, out=place)
        return place.astype(np.int64)

    def _check_range(self, low: float, high: float, name: str) -> None:
        start, end = self.score_range
        slack = _SLACK * (end - start)
        if low < start - slack or high > end + slack:
            raise DataError(
                f"{name} has scores from {low:.6g} to {high:.6g}, outside score_range ({start:g}, {end:g}): "
                "pass a score_range that holds every score, or engine='exact', which needs none"
            )


def empty_binned(bins: int = 2**16, score_range: tuple[float, float] = (0.0, 1.0)) -> BinnedState:
    """Return the state that has counted nothing.

    Args:
        bins: Number of bins of equal width, at least 1.
        score_range: Lowest and highest score.

    Raises:
        ConfigError: There is no bin, or the range is empty or not finite.
    """
    low, high = map(float, score_range)
    if bins < 1:
        raise ConfigError(f"bins is {bins}: it must be at least 1, such as 65536")
    if not (np.isfinite(high - low) and low < high):
        raise ConfigError(
            f"score_range is ({low:g}, {high:g}): it must be two finite numbers, low < high, such as (0, 1)"
        )
    return BinnedState(
        score_range=(low, high),
        normal=np.zeros(bins, dtype=np.int64),
        anomalous=np.zeros(bins, dtype=np.int64),
        overlap=np.zeros(bins, dtype=np.float64),
        regions=0,
        images=0,
        lowest=float("inf"),
        highest=float("-inf"),
        precision=np.dtype(np.float32),
    )


def _at_or_above(count: Shaped[np.ndarray, " bins"]) -> Shaped[np.ndarray, " edges"]:
    """Return the sum over bin b and all above it, for every b, and 0 at the end."""
    return np.append(np.cumsum(count[::-1])[::-1], 0)
