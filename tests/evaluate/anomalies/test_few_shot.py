"""Few-shot evaluation: draws, what is left out, and the numbers beside zero-shot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import draw_brains

import zerosight
from zerosight.data.layouts import open_dataset
from zerosight.errors import ConfigError
from zerosight.evaluate.anomalies.few_shot import FewShotConfig, few_shot
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.scorer import tiny_scorer
from zerosight.predict.anomalies import Predictor


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = draw_brains(tmp_path_factory.mktemp("brains"), 7, 4)
    Image.open(folder / "no" / "0.png").save(folder / "no" / "copy.png")
    return folder


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(tiny_scorer(), Vip2ClipCard(name="tiny"))


def config(**values: object) -> FewShotConfig:
    return FewShotConfig.parse({"workers": 1, "normals": (2, 4), "draws": 2} | values)


def test_normals_are_left_out_of_the_test_and_help(root, predictor):
    result = few_shot(predictor, open_dataset(f"brain_mri:{root}"), config())
    assert [(t.normals, t.draw) for t in result.trials] == [(0, 0), (2, 0), (4, 0), (2, 1), (4, 1)]
    assert [t.images for t in result.trials if t.normals == 0] == [12]
    assert all(12 - t.normals - 1 <= t.images <= 12 - t.normals for t in result.trials if t.normals)
    zero, two, four = result.rows()
    assert (zero.normals, two.normals, four.normals) == (0, 2, 4)
    assert four.mean["image_auroc"] > 0.9
    assert four.mean["references_auroc"] > 0.9
    assert np.isnan(zero.mean["references_auroc"])
    assert four.mean["misses"] == 0
    assert result.to_json()["rows"][0]["mean"]["pixel_auroc"] is None


def test_the_same_seed_draws_the_same(root, predictor):
    dataset = open_dataset(f"brain_mri:{root}")
    first, again, other = (few_shot(predictor, dataset, config(seed=s, draws=1)) for s in (0, 0, 3))
    assert first.to_json() == again.to_json()
    assert first.to_json() != other.to_json()


@pytest.mark.parametrize("augment", ["auto", "flips"])
def test_turned_copies_are_compared_with_too(root, predictor, augment):
    dataset = open_dataset(f"brain_mri:{root}")
    plain, turned = (few_shot(predictor, dataset, config(draws=1, augment=a)) for a in ("none", augment))
    assert plain.to_json()["rows"][0] == turned.to_json()["rows"][0]
    assert turned.rows()[2].mean["image_auroc"] > 0.9


@pytest.mark.parametrize(("normals", "text"), [((9,), "has 7 to draw from"), ((0, 2), "at least 1")])
def test_numbers_that_cannot_be_drawn_are_one_line(root, predictor, normals, text):
    with pytest.raises(ConfigError, match=text):
        few_shot(predictor, open_dataset(f"brain_mri:{root}"), config(normals=normals))


def test_an_image_tower_alone_has_no_zero_shot_row(root):
    tower = zerosight.load("timm:test_efficientnet@random:0#48")
    result = few_shot(tower, open_dataset(f"brain_mri:{root}"), config(draws=1))
    assert [(t.normals, t.draw) for t in result.trials] == [(2, 0), (4, 0)]
    four = result.rows()[1].mean
    assert four["image_auroc"] == pytest.approx(four["references_auroc"])
    assert four["image_auroc"] > 0.8
