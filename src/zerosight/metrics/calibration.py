"""Calibration: whether a probability of 0.3 comes true three times in ten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from zerosight.errors import ConfigError
from zerosight.metrics.result import Metric

BINS = 10
"""Bins of equally many images: our default."""


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationCurve:
    """Predicted against observed shares, a point per bin that holds an image, by rising probability.

    Attributes:
        predicted: Mean probability of the bin's images, in [0, 1].
        observed: Share of them that is positive, in [0, 1].
        images: How many they are.
    """

    predicted: Float64[np.ndarray, " bins"]
    observed: Float64[np.ndarray, " bins"]
    images: Int64[np.ndarray, " bins"]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "predicted": self.predicted.round(6).tolist(),
            "observed": self.observed.round(6).tolist(),
            "images": self.images.tolist(),
        }


def calibration_curve(
    probabilities: Shaped[np.ndarray, " images"], positive: Bool[np.ndarray, " images"], bins: int = BINS
) -> CalibrationCurve:
    """Return the calibration curve over bins of equally many images.

    Equal probabilities are never parted, so there may be fewer bins than asked for, and unequal ones.

    Args:
        probabilities: In [0, 1].
        positive: Whether each image is positive.
        bins: How many, at least 1.

    Raises:
        ConfigError: There is no bin.
    """
    if bins < 1:
        raise ConfigError(f"bins is {bins}: it must be at least 1, such as {BINS}")
    if not probabilities.size:
        return CalibrationCurve(np.empty(0), np.empty(0), np.empty(0, np.int64))
    values = probabilities.astype(np.float64)
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    bin_of = np.searchsorted(edges, values)
    images = np.bincount(bin_of, minlength=bins)
    used = images > 0
    mean, share = (
        (np.bincount(bin_of, weights=column, minlength=bins)[used] / images[used]).clip(0, 1)
        for column in (values, positive.astype(np.float64))
    )
    return CalibrationCurve(mean, share, images[used])


def expected_calibration_error(curve: CalibrationCurve) -> Metric:
    """Return the mean distance between predicted and observed shares, weighted by images, in [0, 1].

    Source: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015; with
    bins of equally many images.
    """
    total = int(curve.images.sum())
    if not total:
        return Metric.undefined("no known labels")
    return Metric(float(np.sum(curve.images * np.abs(curve.predicted - curve.observed)) / total))
