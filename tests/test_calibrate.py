from __future__ import annotations

import numpy as np
import pytest

from zerosight.calibrate import calibrated_card
from zerosight.errors import DataError
from zerosight.models.card import ModelCard, Thresholds
from zerosight.predict import prediction
from zerosight.types import Failure


def normal(scores: list[float]) -> list:
    return [prediction("x", score, np.full((4, 4), score / 2, np.float32), Thresholds()) for score in scores]


@pytest.mark.parametrize("false_alarms", [0.0, 0.1, 0.25, 0.5])
def test_no_more_normal_images_than_allowed_reach_the_thresholds(false_alarms):
    scores = list(np.random.default_rng(0).random(40))
    thresholds = calibrated_card(ModelCard(name="x"), normal(scores), false_alarms).thresholds
    called = sum(np.float32(score) >= thresholds.image for score in scores)
    with_regions = sum(np.float32(score / 2) >= thresholds.pixel for score in scores)
    assert called == with_regions == int(false_alarms * 40)
    assert "40 normal images" in thresholds.source


def test_one_image_is_enough_and_failures_do_not_count():
    thresholds = calibrated_card(ModelCard(name="x"), [Failure("a", "b"), *normal([0.3])], 0.05).thresholds
    assert 0.3 < thresholds.image < 0.3001
    assert calibrated_card(ModelCard(name="x"), normal([1.0]), 0.05).thresholds.image == 1.0


def test_no_image_is_an_error():
    with pytest.raises(DataError, match="give a folder of normal images"):
        calibrated_card(ModelCard(name="x"), [Failure("a", "b")], 0.05)
