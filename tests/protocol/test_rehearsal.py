"""The rehearsal on a miniature tower, and the arithmetic of its prediction."""

from __future__ import annotations

import json

import pytest

from zerosight.backbones.config import parse_backbone
from zerosight.data.layouts import list_layouts
from zerosight.errors import ConfigError
from zerosight.protocol.miniatures import TREES
from zerosight.protocol.prediction import Measured, predict_cost
from zerosight.protocol.rehearsal import random_weights


@pytest.mark.slow
def test_all_of_it_is_done_and_what_the_real_sets_cost_is_told(run, tmp_path, monkeypatch):
    monkeypatch.setattr("zerosight.protocol.rehearsal.PICTURE", (64, 48))
    out = tmp_path / "out"
    words = ("protocol", "vip2clip", "--rehearse", "--backbone", "tiny", "--out", out, "--device", "cpu")
    status, printed, said = run(*words, "--set", "epochs=2", "--json")
    assert status == 0, said
    found = json.loads(printed)
    assert found == json.loads((out / "rehearsal.json").read_text())
    names = {
        row["name"] for level in found["tables"].values() for row in level if " mean " not in row["name"]
    }
    assert names == set(TREES)
    measured = found["measured"]
    assert measured["features_mb"] == pytest.approx(2 * (48 + 4 * 36 * 48) / 1e6)
    assert measured["epochs"] == 2
    assert all(value > 0 for value in measured.values())
    assert (found["prediction"]["training_images"], found["prediction"]["test_images"]) == (3887, 20_865)
    status, _, said = run(*words)
    assert status == 1
    assert "is not empty; a rehearsal is timed from its beginning" in said
    status, _, said = run(*words, "--test", "isic:elsewhere")
    assert (status, "leave out --aux and --test (got isic:elsewhere)" in said) == (1, True)


def test_the_arithmetic_is_that_which_is_shown():
    measured = Measured(
        size=518,
        epochs=10,
        batch=2,
        ready_seconds=30.0,
        first_seconds=5.0,
        cached_seconds=0.1,
        evaluated_seconds=4.0,
        read_seconds=0.02,
        metrics_seconds=0.002,
        weights_mb=1700.0,
        peak_mb=4000.0,
        features_mb=8.4,
        run_mb=50.0,
        tower_gflop=1000.0,
        rest_gflop=10.0,
    )
    infos = {info.name: info for info in list_layouts() if info.name in TREES}
    found = predict_cost(measured, infos, ("mvtec_ad", "visa"))
    lines = {(line.where, line.what): line for line in found.lines}
    assert lines["here", "training"].value == pytest.approx(2 * 30 + 3887 * (5 + 9 * 0.1))
    assert lines["here", "evaluation"].value == pytest.approx(found.test_images * 4)
    assert lines["here", "disk"].value == pytest.approx(3887 * 8.4 + 100)
    assert lines["A100, fp32", "one image"].value == pytest.approx(1010e9 / (19.5e12 * 0.6))
    shown = found.table().markdown(escape=False)
    assert "3887 × (5 s + 9 × 0.1 s)" in shown
    assert "1010 GFLOP / (19.5 TFLOP/s × 0.6)" in shown


def test_a_rehearsal_takes_architectures_alone(tmp_path):
    assert random_weights(parse_backbone("ViT-B-16@openai")).weights == "random:0"
    assert random_weights(parse_backbone("tiny")) == parse_backbone("tiny")
    with pytest.raises(ConfigError, match="--rehearse takes an architecture"):
        random_weights(parse_backbone(str(tmp_path)))
