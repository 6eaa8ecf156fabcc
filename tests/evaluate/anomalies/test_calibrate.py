from __future__ import annotations

import numpy as np
import pytest

from zerosight.errors import DataError
from zerosight.evaluate.anomalies.calibrate import calibrated_card
from zerosight.models.card import Thresholds
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.predict.anomalies import prediction
from zerosight.types import Failure


def normal(scores: list[float]) -> list:
    return [prediction("x", score, np.full((4, 4), score / 2, np.float32), Thresholds()) for score in scores]


@pytest.mark.parametrize("false_alarms", [0.0, 0.1, 0.25, 0.5])
def test_no_more_normal_images_than_allowed_reach_the_thresholds(false_alarms):
    scores = list(np.random.default_rng(0).random(40))
    thresholds = calibrated_card(Vip2ClipCard(name="x"), normal(scores), false_alarms).thresholds
    called = sum(np.float32(score) >= thresholds.image for score in scores)
    with_regions = sum(np.float32(score / 2) >= thresholds.pixel for score in scores)
    assert called == with_regions == int(false_alarms * 40)
    assert "40 normal images" in thresholds.source


def test_one_image_is_enough_and_failures_do_not_count():
    thresholds = calibrated_card(Vip2ClipCard(name="x"), [Failure("a", "b"), *normal([0.3])], 0.05).thresholds
    assert 0.3 < thresholds.image < 0.3001
    assert calibrated_card(Vip2ClipCard(name="x"), normal([1.0]), 0.05).thresholds.image == 1.0


def test_no_image_is_an_error():
    with pytest.raises(DataError, match="give a folder of normal images"):
        calibrated_card(Vip2ClipCard(name="x"), [Failure("a", "b")], 0.05)


def test_the_pixel_threshold_bounds_a_share_of_pixels_not_of_peaks():
    rng = np.random.default_rng(0)
    found = [prediction("x", 0.5, rng.random((20, 20)).astype(np.float32), Thresholds()) for _ in range(30)]
    thresholds = calibrated_card(Vip2ClipCard(name="x"), found, 0.05, 0.01).thresholds
    share = np.mean([(one.anomaly_map >= thresholds.pixel).mean() for one in found])
    assert 0.008 < share <= 0.01 + 1e-9
    assert "1% of their pixels in regions" in thresholds.source


def test_an_anomalous_image_has_its_peak_outlined():
    grid = np.full((9, 9), 0.1, np.float32)
    grid[4, 5] = 0.3
    [region] = prediction("x", 0.8, grid, Thresholds(image=0.5, pixel=0.9)).regions
    assert region.box == (5, 4, 6, 5)
    assert prediction("x", 0.2, grid, Thresholds(image=0.5, pixel=0.9)).regions == ()
