"""Training, evaluation and calibration from Python: the same results as from the command line, typed."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosight
from zerosight.data.layouts import open_dataset
from zerosight.errors import ConfigError, OutputError
from zerosight.evaluate.anomalies import Evaluation, EvaluationConfig
from zerosight.evaluate.anomalies import evaluate as measure
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import save_model
from zerosight.models.vip2clip.scorer import tiny_scorer


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(0)
    for kind in ("good", "bad"):
        (root / kind).mkdir()
        for i in range(3):
            pixels = rng.integers(0, 200 if kind == "good" else 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / kind / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    from zerosight.backbones.config import BackboneConfig

    out = tmp_path_factory.mktemp("models") / "tiny"
    save_model(tiny_scorer().model, Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny")), out)
    return out


def test_packages_stay_packages_and_are_verbs_too():
    for name in ("train", "evaluate"):
        package = importlib.import_module(f"zerosight.{name}")
        assert getattr(zerosight, name) is package
        assert callable(package)
    assert zerosight.evaluate.anomalies is importlib.import_module("zerosight.evaluate.anomalies")


def test_evaluation_is_that_of_the_library(parts, folder, tmp_path):
    predictor = zerosight.load(folder)
    found = zerosight.evaluate(f"folder:{parts}", predictor, out=tmp_path / "out", resamples=0)
    assert isinstance(found, Evaluation)
    config = EvaluationConfig(resamples=0)
    expected = measure(predictor, open_dataset(f"folder:{parts}"), config)
    assert found.datasets[0].to_json() == expected.to_json()
    assert (tmp_path / "out" / "evaluation.html").is_file()
    twice = zerosight.evaluate([f"folder:{parts}"] * 2, folder, resamples=0)
    assert [one.to_json() for one in twice.datasets] == [expected.to_json()] * 2
    with pytest.raises(OutputError, match="resume"):
        zerosight.evaluate(f"folder:{parts}", predictor, out=tmp_path / "out", resamples=0)
    with pytest.raises(ConfigError, match="did you mean 'resamples'"):
        zerosight.evaluate(f"folder:{parts}", predictor, resample=0)


def test_thresholds_are_those_few_normal_images_reach(parts, folder, tmp_path):
    seen = []
    card = zerosight.calibrate(
        parts / "good", tmp_path / "mine", folder, progress=lambda *at: seen.append(at)
    )
    assert (card.name, seen) == ("mine", [(1, 3), (2, 3), (3, 3)])
    scores = [p.score for p in zerosight.load(folder).predict(parts / "good")]
    assert max(scores) < card.thresholds.image < max(scores) + 1e-6
    assert zerosight.load(tmp_path / "mine").card == card
    with pytest.raises(OutputError, match="holds a model already"):
        zerosight.calibrate(parts / "good", tmp_path / "mine", folder)


def test_a_setting_that_training_does_not_know_is_named(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        zerosight.train("parts.jsonl", tmp_path / "run", epocs=2)
    with pytest.raises(ConfigError, match="either 'start'"):
        zerosight.train_findings("chests.jsonl", tmp_path / "run")
