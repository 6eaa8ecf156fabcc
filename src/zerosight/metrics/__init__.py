"""Metrics of anomaly detection: exact or binned, additive, undefined where they are undefined."""

from zerosight.metrics.bootstrap import (
    bootstrap_interval,
    bootstrap_intervals,
    bootstrap_values,
    percentile_interval,
)
from zerosight.metrics.curves import Curves
from zerosight.metrics.image import ImageMetrics
from zerosight.metrics.pixel import PixelMetrics
from zerosight.metrics.result import ImageTable, Interval, Metric, PixelTable

__all__ = [
    "Curves",
    "ImageMetrics",
    "ImageTable",
    "Interval",
    "Metric",
    "PixelMetrics",
    "PixelTable",
    "bootstrap_interval",
    "bootstrap_intervals",
    "bootstrap_values",
    "percentile_interval",
]
