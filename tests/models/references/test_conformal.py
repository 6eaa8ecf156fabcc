"""Thresholds: their promise, held to simulated images."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.errors import ConfigError, DataError
from zerosight.models.references.conformal import image_promise, pixel_promise


@pytest.mark.parametrize(("count", "alpha"), [(19, 0.05), (40, 0.1), (16, 0.05), (3, 0.05)])
def test_the_rate_of_false_alarms_is_the_bound(count, alpha):
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(800):
        promise = image_promise(rng.normal(size=count), alpha)
        rates.append((rng.normal(size=200) >= promise.threshold).mean())
    assert np.mean(rates) == pytest.approx(promise.bound, abs=3 * np.std(rates) / 800**0.5)
    assert promise.kept == (count >= 1 / alpha - 1)
    assert promise.bound <= max(alpha, 1 / (count + 1)) + 1e-12


def test_the_interval_holds_nine_rates_in_ten():
    rng = np.random.default_rng(1)
    promise = image_promise(rng.uniform(size=30), 0.1)
    rates = [1 - image_promise(rng.uniform(size=30), 0.1).threshold for _ in range(500)]
    low, high = promise.interval
    assert np.mean([low <= rate <= high for rate in rates]) == pytest.approx(0.9, abs=0.04)


def test_pixels_share_the_allowance():
    maps = np.random.default_rng(0).uniform(size=(50, 20, 20))
    promise = pixel_promise(maps, 0.05)
    assert (maps >= promise.threshold).mean() <= 0.05
    assert (maps >= promise.threshold).mean() == pytest.approx(0.05, abs=1e-3)
    assert promise.bound == pytest.approx((50 * 0.05 + 1) / 51, abs=1e-3)
    assert not promise.kept


def test_nothing_to_learn_from_is_one_line():
    with pytest.raises(DataError, match="no normal image"):
        image_promise(np.zeros(0), 0.05)
    with pytest.raises(DataError, match="no normal image"):
        pixel_promise(np.zeros((0, 2, 2)), 0.05)
    with pytest.raises(ConfigError, match="alpha"):
        pixel_promise(np.zeros((1, 2, 2)), 0.7)
