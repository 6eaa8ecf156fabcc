from .bootstrap import (
    bootstrap_interval,
    bootstrap_intervals,
    bootstrap_values,
    percentile_interval,
)
from .calibration import CalibrationCurve, calibration_curve, expected_calibration_error
from .curves import Curves
from .decision import ThresholdPolicy
from .finding_data import FindingData, finding_data
from .findings import (
    FindingMetrics,
    FindingTable,
    finding_curves,
    finding_metrics,
    mean_auroc,
    validation_thresholds,
)
from .image import ImageMetrics
from .pixel import PixelMetrics
from .result import ImageTable, Interval, Metric, PixelTable

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
    "mean_auroc",
    "percentile_interval",
    "validation_thresholds",
]
