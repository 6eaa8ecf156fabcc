"""The engine that keeps every score: exact, with memory that grows with the number of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from zerosight.metrics.checks import score_bounds
from zerosight.metrics.published import OverlapPoints, published_thresholds
from zerosight.metrics.regions import region_weights
from zerosight.metrics.tally import Tally, exact_tally


@dataclass(frozen=True, slots=True, eq=False)
class ExactState:
    """Scores of every map, normal and anomalous apart: two shards merge by joining their tuples.

    Attributes:
        normal: Scores of the normal pixels of each map.
        anomalous: Scores of the anomalous pixels of each map.
        overlap: 1 / (area of its region) of each anomalous pixel of each map.
        regions: Number of regions.
    """

    normal: tuple[Shaped[np.ndarray, "..."], ...] = ()
    anomalous: tuple[Shaped[np.ndarray, "..."], ...] = ()
    overlap: tuple[Shaped[np.ndarray, "..."], ...] = ()
    regions: int = 0

    @property
    def images(self) -> int:
        """Number of maps."""
        return len(self.normal)

    def update(
        self, scores: Shaped[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"]
    ) -> ExactState:
        """Return the state with one more map.

        Raises:
            DataError: A score is not finite.
        """
        score_bounds(scores, f"map {self.images}")
        weights, regions = region_weights(mask) if mask.any() else (np.empty(0), 0)
        return ExactState(
            normal=(*self.normal, scores[~mask]),
            anomalous=(*self.anomalous, scores[mask]),
            overlap=(*self.overlap, weights),
            regions=self.regions + regions,
        )

    def merge(self, other: ExactState) -> ExactState:
        """Return the state of both shards together."""
        return ExactState(
            normal=self.normal + other.normal,
            anomalous=self.anomalous + other.anomalous,
            overlap=self.overlap + other.overlap,
            regions=self.regions + other.regions,
        )

    def summary(self) -> tuple[Tally, OverlapPoints]:
        """Return the cumulative counts and the points of the published curve."""
        normal = np.sort(_joined(self.normal))
        anomalous, overlap = _joined(self.anomalous), _joined(self.overlap)
        falling = np.argsort(anomalous, kind="stable")[::-1]
        anomalous, overlap = anomalous[falling], overlap[falling]
        tally = exact_tally(normal, anomalous, overlap, self.regions)
        return tally, _published_points(normal, anomalous, overlap, self.regions)


def _published_points(
    normal: Shaped[np.ndarray, " normals"],
    anomalous: Shaped[np.ndarray, " anomalies"],
    overlap: Float64[np.ndarray, " anomalies"],
    regions: int,
) -> OverlapPoints:
    """Return the points of the published curve from rising normal and falling anomalous scores."""
    ends = np.concatenate([normal[:1], normal[-1:], anomalous[:1], anomalous[-1:]])
    if not ends.size:
        return OverlapPoints(*[np.empty(0)] * 6)
    precision = np.result_type(ends.dtype, np.float32)
    thresholds = published_thresholds(float(ends.min()), float(ends.max()), precision)
    above = normal.size - np.searchsorted(normal, thresholds, side="right")
    hits = anomalous.size - np.searchsorted(anomalous[::-1], thresholds, side="right")
    rate = above / max(normal.size, 1)
    share = np.append(0.0, np.cumsum(overlap))[hits] / max(regions, 1)
    return OverlapPoints(rate, share, rate, rate, share, share)


def _joined(arrays: tuple[Shaped[np.ndarray, "..."], ...]) -> Shaped[np.ndarray, " pixels"]:
    return np.concatenate(arrays) if arrays else np.empty(0)
