"""Calibration: against scikit-learn's curve, against a plain sum, and without images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve as reference_curve

from zerosight.errors import ConfigError
from zerosight.metrics import calibration_curve, expected_calibration_error


@pytest.mark.parametrize("digits", [1, 6])
def test_the_curve_is_that_of_scikit_learn(digits):
    rng = np.random.default_rng(0)
    probabilities = rng.random(500).round(digits)
    positive = rng.random(500) < probabilities**2
    curve = calibration_curve(probabilities, positive, 10)
    observed, predicted = reference_curve(positive, probabilities, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(curve.predicted, predicted, atol=1e-12)
    np.testing.assert_allclose(curve.observed, observed, atol=1e-12)
    assert curve.images.sum() == 500


def test_bins_hold_equally_many_images():
    values = np.random.default_rng(1).random(200)
    assert calibration_curve(values, values > 0.5, 10).images.tolist() == [20] * 10


def test_the_error_is_the_weighted_distance():
    probabilities = np.array([0.1, 0.1, 0.3, 0.9])
    curve = calibration_curve(probabilities, np.array([False, True, False, True]), 2)
    assert curve.images.tolist() == [2, 2]
    error = expected_calibration_error(curve)
    assert error.value == pytest.approx((2 * abs(0.1 - 0.5) + 2 * abs(0.6 - 0.5)) / 4)


def test_equal_probabilities_share_a_bin():
    curve = calibration_curve(np.full(6, 0.5), np.arange(6) < 3, 10)
    assert (curve.images.tolist(), curve.observed.tolist()) == ([6], [0.5])
    assert expected_calibration_error(curve).value == 0


def test_without_images_the_error_is_undefined():
    curve = calibration_curve(np.empty(0), np.empty(0, bool))
    assert str(expected_calibration_error(curve)) == "n/a (no known labels)"
    assert curve.to_json() == {"predicted": [], "observed": [], "images": []}


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.integers(1, 50))
def test_every_image_is_in_one_bin(images, bins):
    probabilities, positive = (np.array(column) for column in zip(*images, strict=True))
    curve = calibration_curve(probabilities, positive, bins)
    assert curve.images.sum() == len(images)
    assert (curve.observed * curve.images).sum() == pytest.approx(positive.sum())
    assert np.all(np.diff(curve.predicted) >= 0)
    assert 0 <= expected_calibration_error(curve).value <= 1


def test_no_bins_are_refused():
    with pytest.raises(ConfigError, match="bins is 0"):
        calibration_curve(np.zeros(1), np.zeros(1, bool), 0)
