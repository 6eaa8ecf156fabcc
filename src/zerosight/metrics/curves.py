"""ROC, precision–recall and per-region-overlap curves, and the areas under them.

Every function takes cumulative counts at falling thresholds (see :class:`~zerosight.metrics.tally.Tally`) on
the last axis; leading axes are independent problems, such as bootstrap resamples. Items tied at one step
enter together: the ROC and overlap curves join the steps by straight lines, the precision–recall curve
steps. A problem without normal or without anomalous items gives NaN or a trivial value: callers ask first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from zerosight.metrics.tally import Tally


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Points of all curves at falling thresholds, thinned for drawing; undefined rates are NaN.

    Attributes:
        thresholds: Scores at or above it are called anomalous; the first is infinite.
        false_positive_rate: Share of the normal items called anomalous.
        recall: Share of the anomalous items called anomalous (the true-positive rate).
        precision: Share of the items called anomalous that are.
        overlap: Mean over regions of the share of their pixels called anomalous.
    """

    thresholds: Float64[np.ndarray, " points"]
    false_positive_rate: Float64[np.ndarray, " points"]
    recall: Float64[np.ndarray, " points"]
    precision: Float64[np.ndarray, " points"]
    overlap: Float64[np.ndarray, " points"]


def roc_area(
    normal: Int64[np.ndarray, "*batch steps"], anomalous: Int64[np.ndarray, "*batch steps"]
) -> Float64[Any, "*batch"]:
    """Return the area under the ROC curve, in [0, 1]; ties count one half."""
    with np.errstate(invalid="ignore"):
        return trapezoid(_from_zero(normal / normal[..., -1:]), _from_zero(anomalous / anomalous[..., -1:]))


def average_precision(
    normal: Int64[np.ndarray, "*batch steps"], anomalous: Int64[np.ndarray, "*batch steps"]
) -> Float64[Any, "*batch"]:
    """Return the precision at each step weighted by the gain in recall, in [0, 1], as scikit-learn does."""
    with np.errstate(invalid="ignore"):
        gain = np.diff(_from_zero(anomalous / anomalous[..., -1:]), axis=-1)
    return np.sum(gain * (anomalous / np.maximum(normal + anomalous, 1)), axis=-1)


def f1(
    normal: Int64[np.ndarray, "*batch steps"], anomalous: Int64[np.ndarray, "*batch steps"]
) -> Float64[np.ndarray, "*batch steps"]:
    """Return F1 = 2 TP / (2 TP + FP + FN) at each step, in [0, 1]; 0 where nothing is found."""
    return 2 * anomalous / np.maximum(normal + anomalous + anomalous[..., -1:], 1)


def best_f1(tally: Tally) -> tuple[float, float]:
    """Return the largest F1, in [0, 1], and the lowest threshold that reaches it.

    Args:
        tally: Counts with at least one anomalous item.
    """
    values = f1(tally.normal, tally.anomalous)
    best = float(values.max())
    return best, float(tally.thresholds[np.flatnonzero(values == best)[-1]])


def overlap_area(tally: Tally, limit: float) -> float:
    """Return the area under the per-region-overlap curve up to a false-positive rate, over that rate.

    Args:
        tally: Counts with at least one normal pixel and one region.
        limit: Largest false-positive rate, in (0, 1]; the curve is interpolated there.

    Source: Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021, section 6.1.
    """
    rate, overlap = _from_zero(tally.normal / tally.normal[-1]), _from_zero(overlap_share(tally))
    inside = int(np.searchsorted(rate, limit, side="left"))
    share = (limit - rate[inside - 1]) / (rate[inside] - rate[inside - 1])
    at_limit = overlap[inside - 1] + share * (overlap[inside] - overlap[inside - 1])
    return float(trapezoid(np.append(rate[:inside], limit), np.append(overlap[:inside], at_limit))) / limit


def overlap_share(tally: Tally) -> Float64[np.ndarray, " steps"]:
    """Return the mean over regions of the share of their pixels counted at each step, in [0, 1]."""
    return np.minimum(tally.overlap / max(tally.regions, 1), 1.0)


def thinned(tally: Tally, points: int = 512) -> Curves:
    """Return about ``points`` points of every curve, evenly spread along the ROC curve, ends included."""
    with np.errstate(invalid="ignore"):
        rate = _from_zero(tally.normal / max(tally.normal_total, 1))
        recall = _from_zero(tally.anomalous / max(tally.anomalous_total, 1))
    place = np.floor((rate + recall) / 2 * points)
    keep = np.flatnonzero(np.append(np.diff(place, prepend=-1)[:-1] > 0, True))
    counted = np.maximum(tally.normal + tally.anomalous, 1)
    precision = tally.anomalous / counted
    blank = np.full(keep.size, np.nan)
    return Curves(
        thresholds=np.concatenate([[np.inf], tally.thresholds])[keep],
        false_positive_rate=rate[keep] if tally.normal_total else blank,
        recall=recall[keep] if tally.anomalous_total else blank,
        precision=np.concatenate([precision[:1], precision])[keep] if precision.size else blank,
        overlap=_from_zero(overlap_share(tally))[keep] if tally.regions else blank,
    )


def trapezoid(
    x: Float64[np.ndarray, "*batch steps"], y: Float64[np.ndarray, "*batch steps"]
) -> Float64[Any, "*batch"]:
    """Return the area under straight lines through the points, along the last axis."""
    return np.sum(np.diff(x, axis=-1) * (y[..., 1:] + y[..., :-1]), axis=-1) / 2


def _from_zero(steps: Float64[np.ndarray, "*batch steps"]) -> Float64[np.ndarray, "*batch more"]:
    """Put the origin of the curve in front."""
    return np.concatenate([np.zeros((*steps.shape[:-1], 1)), steps], axis=-1)
