"""How far a metric from binned scores can be from the metric of the scores themselves.

Bins keep the order between bins and forget it within one. A curve of the true scores therefore passes
through every step of the binned tally, and between two steps stays inside the rectangle they span. What
follows are the largest areas that can hide in those rectangles, with Δ the growth over one bin:

- ROC: the straight line halves the rectangle, so the error is at most ½ Σ ΔFPR·ΔTPR ≤ ½ max ΔFPR: below
  1e-4 where no bin holds more than 2e-4 of the normal pixels.
- Overlap up to a limit: likewise ½ Σ ΔFPR·ΔPRO over the bins below the limit, plus the width left times
  ΔPRO in the bin that crosses it, all over the limit.
- Average precision: within a bin the precision lies between that of all its normal pixels but one anomalous
  pixel counted and that of only its anomalous pixels counted; the larger distance weighted with ΔTPR.
- F1: the true maximum is at least the binned one, and within a bin at most F1 with only its anomalous
  pixels counted.
"""

from __future__ import annotations

import numpy as np

from zerosight.metrics.curves import f1, overlap_share
from zerosight.metrics.tally import Tally


def roc_area_error(tally: Tally) -> float:
    """Return the bound for the area under the ROC curve."""
    if tally.is_exact:
        return 0.0
    normal, anomalous = np.diff(tally.normal, prepend=0), np.diff(tally.anomalous, prepend=0)
    return float(np.sum((normal / tally.normal_total) * (anomalous / tally.anomalous_total))) / 2


def average_precision_error(tally: Tally) -> float:
    """Return the bound for the average precision."""
    if tally.is_exact:
        return 0.0
    gain = np.diff(tally.anomalous, prepend=0)
    before_false, before_true = tally.normal - np.diff(tally.normal, prepend=0), tally.anomalous - gain
    used = tally.anomalous / np.maximum(tally.normal + tally.anomalous, 1)
    least = (before_true + 1) / (before_true + 1 + tally.normal)
    most = tally.anomalous / np.maximum(tally.anomalous + before_false, 1)
    return float(np.sum(gain / tally.anomalous_total * np.maximum(most - used, used - least)))


def f1_max_error(tally: Tally) -> float:
    """Return the bound for the largest F1."""
    if tally.is_exact:
        return 0.0
    before_false = tally.normal - np.diff(tally.normal, prepend=0)
    return float(np.max(f1(before_false, tally.anomalous)) - np.max(f1(tally.normal, tally.anomalous)))


def overlap_area_error(tally: Tally, limit: float) -> float:
    """Return the bound for the area under the overlap curve up to ``limit``, over ``limit``."""
    if tally.is_exact:
        return 0.0
    rate = np.append(0.0, tally.normal / tally.normal_total)
    height = np.diff(overlap_share(tally), prepend=0.0)
    crosses = (rate[:-1] < limit) & (rate[1:] > limit)
    hidden = np.where(crosses, limit - rate[:-1], np.diff(rate) / 2) * height
    return float(np.sum(hidden[rate[:-1] < limit])) / limit
