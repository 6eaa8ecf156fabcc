"""The published AUPRO: its thresholds, its undefined cases and its error bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.metrics.published import OverlapPoints, published_aupro, published_thresholds


@settings(derandomize=True, deadline=None)
@given(
    low=st.floats(-10, 10, width=32),
    width=st.floats(0, 10, width=32),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_thresholds_are_those_of_numpy_arange(low, width, dtype):
    start, stop = dtype(low), dtype(low) + dtype(width)
    step = (stop - start) / 200
    found = published_thresholds(float(start), float(stop), np.dtype(dtype))
    expected = np.arange(start, stop, step) if step > 0 else np.empty(0)
    np.testing.assert_array_equal(found, expected)


def points(rate: list[float], overlap: list[float], slack: float = 0.0) -> OverlapPoints:
    rates, overlaps = np.array(rate), np.array(overlap)
    return OverlapPoints(
        rates, overlaps, rates - slack, rates + slack, np.maximum(overlaps - slack, 0), overlaps + slack
    )


def test_rates_are_rescaled_by_their_own_smallest_and_largest():
    metric = published_aupro(points([1.0, 0.2, 0.15, 0.1], [1.0, 0.9, 0.8, 0.6]), 0.3)
    assert metric.value == pytest.approx((0.85 + 0.7) / 2)
    assert metric.error == 0


@pytest.mark.parametrize("rate", [[], [0.9, 0.8], [0.5, 0.1], [0.5, 0.1, 0.1]])
def test_too_few_points_are_undefined(rate):
    metric = published_aupro(points(rate, [0.5] * len(rate)), 0.3)
    assert not metric.is_defined
    assert np.isnan(metric.value)


def test_doubt_about_which_points_are_kept_is_part_of_the_error():
    rate, overlap = [0.299, 0.1, 0.0], [1.0, 0.5, 0.5]
    sure = published_aupro(points(rate, overlap, slack=1e-4), 0.3)
    unsure = published_aupro(points(rate, overlap, slack=2e-3), 0.3)
    assert sure.error < 0.005
    assert unsure.error >= unsure.value - 0.5


def test_bounds_as_wide_as_the_curve_say_that_nothing_is_known():
    assert published_aupro(points([0.2, 0.1, 0.0], [0.9, 0.5, 0.1], slack=0.2), 0.3).error == 1
