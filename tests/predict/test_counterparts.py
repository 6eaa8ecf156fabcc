"""What it should look like: the right patch of the right image, where that very image is at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosight
from zerosight.errors import ConfigError
from zerosight.predict.anomalies import Predictor
from zerosight.predict.counterparts import Counterparts

TOWER = "timm:test_efficientnet@random:0#64"


def part(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Return smooth noise of its own, 96 wide and 64 high."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (8, 12, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    for seed in range(4):
        part(seed).save(folder / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def predictor(good: Path) -> Predictor:
    return zerosight.load(TOWER).with_normals(good)


def test_the_nearest_patch_is_where_the_copy_lies(predictor, good):
    photo = part(2)
    result = predictor.predict_one(photo, threshold=0.0)
    found = Counterparts(predictor).of(result, photo)
    assert found.source == str(good / "2.png")
    assert found.box == pytest.approx(found.region, abs=6)  # a patch is 12 by 8 pixels
    left, right = found.crops(photo)
    assert left.size == right.size
    side = found.region[2] - found.region[0]
    assert 0.2 * 64 <= side <= 0.6 * 64


def test_images_elsewhere_are_found_by_name_and_content(predictor, good, tmp_path):
    photo = part(1)
    result = predictor.predict_one(photo, threshold=0.0)
    fitted = zerosight.load(TOWER).with_normals([np.asarray(part(seed)) for seed in range(4)])
    assert Counterparts(fitted).of(result, photo) is None  # arrays lie nowhere
    folder = good.parent / "moved"
    good.rename(folder)
    try:
        assert Counterparts(predictor).of(result, photo) is None
        moved = Counterparts(predictor, [folder])
        assert moved.at_hand
        assert moved.of(result, photo).source == str(folder / "1.png")
        part(9).save(tmp_path / "1.png")
        assert not Counterparts(predictor, [tmp_path]).at_hand  # the name alone is not enough
    finally:
        folder.rename(good)


def test_a_normal_image_has_none(predictor):
    photo = part(2)
    assert Counterparts(predictor).of(predictor.predict_one(photo, threshold=1.0), photo) is None


def test_a_model_without_references_is_one_line(model_without):
    with pytest.raises(ConfigError, match="knows no normal patches"):
        Counterparts(model_without)


@pytest.fixture
def model_without() -> Predictor:
    from zerosight.models.vip2clip.card import Vip2ClipCard
    from zerosight.models.vip2clip.scorer import tiny_scorer

    return Predictor(tiny_scorer(), Vip2ClipCard(name="tiny"))
