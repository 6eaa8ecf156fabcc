"""Metrics of anomalies and of findings: exact or binned, undefined where they are undefined."""

from zerosight.metrics.bootstrap import (
    bootstrap_interval,
    bootstrap_intervals,
    bootstrap_values,
    percentile_interval,
)
from zerosight.metrics.calibration import CalibrationCurve, calibration_curve, expected_calibration_error
from zerosight.metrics.curves import Curves
from zerosight.metrics.decision import ThresholdPolicy
from zerosight.metrics.finding_data import FindingData, finding_data
from zerosight.metrics.findings import (
    FindingMetrics,
    FindingTable,
    finding_curves,
    finding_metrics,
    validation_thresholds,
)
from zerosight.metrics.image import ImageMetrics
from zerosight.metrics.pixel import PixelMetrics
from zerosight.metrics.result import ImageTable, Interval, Metric, PixelTable

__all__ = [
    "CalibrationCurve",
    "Curves",
    "FindingData",
    "FindingMetrics",
    "FindingTable",
    "ImageMetrics",
    "ImageTable",
    "Interval",
    "Metric",
    "PixelMetrics",
    "PixelTable",
    "ThresholdPolicy",
    "bootstrap_interval",
    "bootstrap_intervals",
    "bootstrap_values",
    "calibration_curve",
    "expected_calibration_error",
    "finding_curves",
    "finding_data",
    "finding_metrics",
    "percentile_interval",
    "validation_thresholds",
]
