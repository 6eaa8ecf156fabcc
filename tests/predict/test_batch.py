"""A batch of images in, a predictor out that judges these very images by each other."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.errors import ConfigError, DataError
from zerosight.models.references import mutual
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.scorer import tiny_scorer
from zerosight.predict import batch
from zerosight.predict.anomalies import Predictor
from zerosight.predict.batch import with_batch
from zerosight.types import Failure


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(tiny_scorer(), Vip2ClipCard(name="tiny"))


def parts(count: int, seed: int = 0, defects: int = 0) -> list[np.ndarray]:
    """Return striped parts; the last ones have a bright square of noise."""
    rng = np.random.default_rng(seed)
    plain = 120 + 50 * np.sin(np.arange(48)[:, None, None] / 4) * np.ones((48, 48, 3))
    images = [plain + rng.normal(0, 5, plain.shape) for _ in range(count)]
    for image in images[count - defects :]:
        image[16:32, 16:32] = rng.uniform(0, 255, (16, 16, 3))
    return [image.clip(0, 255).astype(np.uint8) for image in images]


@pytest.mark.parametrize("largest", [300, 12])
def test_what_differs_from_its_batch_is_found(predictor, monkeypatch, largest):
    monkeypatch.setattr(batch, "LARGEST_BATCH", largest)
    images = [*parts(22, defects=1), parts(1)[0]]
    judging = predictor.with_batch([*images, "missing.png"])
    found = list(judging.predict([*images, "missing.png"], on_error="skip"))
    assert isinstance(found[-1], Failure)
    scores = [one.score for one in found[:-1]]
    assert np.argmax(scores) == 21
    assert found[21].is_anomalous
    assert scores[22] == scores[0]  # a copy counts once
    assert all(one.to_dict()["transductive"] for one in found[:-1])
    assert judging.card.images == 22
    assert "transductive" in judging.card.thresholds.source


def test_identity_depends_on_the_batch(predictor):
    first, same, other = (predictor.with_batch(parts(n)).identity() for n in (10, 10, 11))
    assert first == same != other


def test_many_that_stand_out_are_warned_of(predictor, monkeypatch):
    monkeypatch.setattr(mutual, "HIGH", 0.0)
    assert any("stand out" in line for line in with_batch(predictor, parts(12, defects=1)).warnings)


@pytest.mark.parametrize("count", [0, 3, 9])
def test_too_few_images_are_one_line(predictor, count):
    with pytest.raises(DataError, match=f"{count} different images can be read.*at least 10"):
        predictor.with_batch(parts(count))


def test_what_cannot_be_judged_is_one_line(predictor):
    judging = predictor.with_batch(parts(10))
    with pytest.raises(DataError, match="not of the batch"):
        judging.predict_one(parts(1, seed=9)[0])
    with pytest.raises(ConfigError, match="gives no features"):
        judging.with_batch(parts(10))
    with pytest.raises(ConfigError, match="leave the tiles out"):
        predictor.tiled(48).with_batch(parts(10))
