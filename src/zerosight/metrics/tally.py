"""The sufficient statistic of every curve: what lies at or above each threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Shaped


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Cumulative counts at falling thresholds; the origin (nothing called anomalous) is left out.

    The last step, where there is one, counts everything.

    Attributes:
        thresholds: Scores at or above ``thresholds[i]`` are counted by step i; falling.
        normal: Normal items (pixels or images) counted.
        anomalous: Anomalous items counted.
        overlap: Sum of 1 / (area of its region) over the anomalous pixels counted; zeros for images.
        regions: Number of anomalous regions; 0 for images.
        is_exact: Whether items first counted at one step have equal scores, or never matter if they have
            not (normal items only). False for bins.
    """

    thresholds: Float64[np.ndarray, " steps"]
    normal: Int64[np.ndarray, " steps"]
    anomalous: Int64[np.ndarray, " steps"]
    overlap: Float64[np.ndarray, " steps"]
    regions: int
    is_exact: bool

    @property
    def normal_total(self) -> int:
        """Number of all normal items."""
        return int(self.normal[-1]) if self.normal.size else 0

    @property
    def anomalous_total(self) -> int:
        """Number of all anomalous items."""
        return int(self.anomalous[-1]) if self.anomalous.size else 0


def exact_tally(
    normal: Shaped[np.ndarray, " normals"],
    anomalous: Shaped[np.ndarray, " anomalies"],
    overlap: Float64[np.ndarray, " anomalies"],
    regions: int,
) -> Tally:
    """Return the tally of scores, with a step wherever the curves can bend.

    The normal scores between two neighbouring anomalous scores share one step: no curve bends there, so
    the tally has at most twice as many steps as there are distinct anomalous scores, plus one.

    Args:
        normal: Scores of normal items, rising.
        anomalous: Scores of anomalous items, falling.
        overlap: 1 / (area of its region) of each anomalous item, in the same order.
        regions: Number of regions.
    """
    last = np.flatnonzero(np.append(anomalous[1:] != anomalous[:-1], True)[: anomalous.size])
    levels = anomalous[last]
    at_or_above = normal.size - np.searchsorted(normal, levels, side="left")
    above = normal.size - np.searchsorted(normal, levels, side="right")
    lowest = normal[:1] if normal.size else levels[-1:]
    hits = np.concatenate([[0], last + 1])
    areas = np.concatenate([[0.0], np.cumsum(overlap)[last]])

    thresholds = np.append(_interleave(np.nextafter(levels, np.inf), levels), lowest)
    false = np.append(_interleave(above, at_or_above), np.full(lowest.size, normal.size))
    true = np.append(_interleave(hits[:-1], hits[1:]), np.full(lowest.size, anomalous.size))
    area = np.append(_interleave(areas[:-1], areas[1:]), np.full(lowest.size, areas[-1]))
    counted = false + true
    moved = np.diff(counted, prepend=0) > 0
    return Tally(
        thresholds=thresholds[moved].astype(np.float64),
        normal=false[moved].astype(np.int64),
        anomalous=true[moved].astype(np.int64),
        overlap=area[moved],
        regions=regions,
        is_exact=True,
    )


def _interleave(
    even: Shaped[np.ndarray, " levels"], odd: Shaped[np.ndarray, " levels"]
) -> Shaped[np.ndarray, " twice"]:
    """Return even[0], odd[0], even[1], odd[1] and so on."""
    return np.stack([even, odd], axis=1).reshape(-1)
