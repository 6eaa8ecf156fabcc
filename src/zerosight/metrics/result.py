"""What the metrics hand out: values that say why they are undefined and how far off they can be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % percentile bootstrap interval.

    Attributes:
        low: Its 2.5 % end, NaN where undefined.
        high: Its 97.5 % end, NaN where undefined.
        resamples: How many resamples it rests on; those that held one class only are left out.
        reason: Why it is undefined, or None.
    """

    low: float
    high: float
    resamples: int
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, with null for NaN."""
        return {
            "low": _number(self.low),
            "high": _number(self.high),
            "resamples": self.resamples,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Metric:
    """One value of a metric.

    Attributes:
        value: The value, NaN where it is undefined.
        reason: Why it is undefined, or None.
        error: Largest possible distance to the value without bins: 0 where nothing was binned, None where
            no bound exists.
        interval: Its bootstrap interval, where one was asked for.
    """

    value: float
    reason: str | None = None
    error: float | None = 0.0
    interval: Interval | None = None

    @classmethod
    def undefined(cls, reason: str) -> Metric:
        """Return a metric without a value."""
        return cls(math.nan, reason)

    @classmethod
    def mean(cls, metrics: Sequence[Metric]) -> Metric:
        """Return the mean of the defined values; its error is the mean of theirs.

        Without any it is undefined for the reasons that they give, each told once.

        >>> str(Metric.mean([Metric(0.5), Metric.undefined("no masks"), Metric(1.0)]))
        '0.7500'
        """
        defined = [metric for metric in metrics if metric.is_defined]
        if not defined:
            reasons = dict.fromkeys(metric.reason for metric in metrics if metric.reason)
            return cls.undefined("; ".join(reasons))
        errors = [metric.error for metric in defined if metric.error is not None]
        error = sum(errors) / len(errors) if len(errors) == len(defined) else None
        return cls(float(np.mean([metric.value for metric in defined])), error=error)

    @property
    def is_defined(self) -> bool:
        """Whether there is a value."""
        return self.reason is None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, with null for an undefined value."""
        result: dict[str, Any] = {"value": _number(self.value), "reason": self.reason, "error": self.error}
        if self.interval is not None:
            result["interval"] = self.interval.to_json()
        return result

    def __str__(self) -> str:
        """Return four decimals, or ``n/a`` with the reason."""
        return f"{self.value:.4f}" if self.is_defined else f"n/a ({self.reason})"


@dataclass(frozen=True, slots=True)
class ImageTable:
    """The metrics of image scores, each in [0, 1] but the threshold.

    Attributes:
        auroc: Area under the ROC curve.
        ap: Average precision.
        f1_max: Largest F1 over all thresholds.
        f1_threshold: The lowest threshold that reaches it; a score at or above it is called anomalous.
        normal: Number of normal images.
        anomalous: Number of anomalous images.
    """

    auroc: Metric
    ap: Metric
    f1_max: Metric
    f1_threshold: Metric
    normal: int
    anomalous: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return _table(self)


@dataclass(frozen=True, slots=True)
class PixelTable:
    """The metrics of anomaly maps, each in [0, 1] but the threshold.

    Attributes:
        auroc: Area under the ROC curve of all pixels.
        ap: Average precision of all pixels.
        f1_max: Largest F1 over all thresholds.
        f1_threshold: The lowest threshold that reaches it; a pixel at or above it is called anomalous.
        aupro_exact: Area under the per-region overlap curve up to a false-positive rate of 0.3, over 0.3.
        aupro_published: The same by the published code's 200 thresholds.
        normal: Number of normal pixels.
        anomalous: Number of anomalous pixels.
        regions: Number of 8-connected anomalous regions.
        images: Number of maps.
    """

    auroc: Metric
    ap: Metric
    f1_max: Metric
    f1_threshold: Metric
    aupro_exact: Metric
    aupro_published: Metric
    normal: int
    anomalous: int
    regions: int
    images: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return _table(self)


def _table(table: ImageTable | PixelTable) -> dict[str, Any]:
    cells = {field.name: getattr(table, field.name) for field in dataclasses.fields(table)}
    return {name: cell.to_json() if isinstance(cell, Metric) else cell for name, cell in cells.items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
