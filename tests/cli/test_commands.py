from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import zerosight
from zerosight.backbones.tiny import tiny_encoder
from zerosight.models.vip2clip.model import Vip2Clip, Vip2ClipConfig
from zerosight.models.vip2clip.published import to_published

pytestmark = pytest.mark.slow

PARITY = Path(__file__).parents[1] / "parity"


def test_help_and_version(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("predict", "demo", "calibrate", "train", "data", "import", "verify", "benchmark"):
        assert command in out
    assert run("--version")[1].strip() == f"zerosight {zerosight.__version__}"


def test_synthesize_train_predict_and_calibrate_follow_one_another(run, photos, tmp_path):
    status, out, _ = run(
        "data", "synthesize", "--out", tmp_path / "aux", "--count", 12, "--size", 64, "--workers", 1, "--json"
    )
    assert status == 0
    manifest = json.loads(out)["manifest"]
    status, out, _ = run(
        *("train", "vip2clip", manifest, "--out", tmp_path / "run", "--backbone", "tiny", "--epochs", 1),
        *("--set", "lr_fgp=1e-3", "--set", "model.top_k=7", "--set", "val_splits=[train]", "--json"),
    )
    assert status == 0
    card = json.loads(out)
    assert card["model"]["top_k"] == 7
    assert card["training"]["lr_fgp"] == 1e-3
    status, out, _ = run(
        "calibrate", photos, "--model", tmp_path / "run", "--out", tmp_path / "mine", "--json"
    )
    assert status == 0
    status, lines, _ = run("predict", photos, "--model", tmp_path / "mine", "--json")
    assert status == 0
    predictions = [json.loads(line) for line in lines.splitlines()]
    assert all(p["threshold"] == json.loads(out)["image"] for p in predictions)
    assert not any(p["is_anomalous"] for p in predictions)


def test_a_published_checkpoint_becomes_a_model_folder(run, photos, tmp_path):
    model = Vip2Clip(tiny_encoder(), Vip2ClipConfig(normal_word="damaged"))
    torch.save(to_published(model), tmp_path / "epoch_10.pth")
    status, _, messages = run(
        "import", "vip2clip", tmp_path / "epoch_10.pth", "--backbone", "tiny", "--out", tmp_path / "paper"
    )
    assert status == 0
    assert "both prompts carry the token of 'damaged'" in " ".join(messages.split())
    assert run("predict", photos, "--model", tmp_path / "paper", "--json")[0] == 0


def test_verify_says_whether_the_numbers_agree(run, tmp_path):
    status, out, _ = run("verify", "preprocess", PARITY / "preprocess.npz", "--json")
    assert status == 0
    assert json.loads(out)["ok"]
    status, out, _ = run("verify", "metrics", PARITY / "metrics", "--json")
    assert status == 0
    assert {a["name"] for a in json.loads(out)["arrays"]} >= {"pixel_aupro", "auroc"}
    values = json.loads((PARITY / "metrics.json").read_text())
    (tmp_path / "m.json").write_text(json.dumps(values | {"ap": values["ap"] + 1e-3}))
    (tmp_path / "m.npz").write_bytes((PARITY / "metrics.npz").read_bytes())
    status, _, messages = run("verify", "metrics", tmp_path / "m")
    assert status == 1
    assert "differs" in messages


def test_models_lists_and_shows(run):
    status, out, _ = run("models", "--json")
    assert status == 0
    assert [card["name"] for card in json.loads(out)] == ["radz-tiny", "vip2clip-lite"]
    assert "## Intended use" in run("models", "vip2clip-lite")[1]
    assert "ViT-L-14-336-quickgelu" in run("models", "--backbones")[1]


@pytest.mark.long
def test_benchmark_compares_the_plain_formulation_with_the_product(run):
    status, out, _ = run("benchmark", "--case", "tiny", "--way", "exact", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["inference"][0]["ways"][0]["map_difference"] < 1e-5
    assert found["files"][0]["images_per_second"] > 0
    assert found["training"][0]["speedup"] > 0
    assert run("benchmark", "inference", "--case", "tiny", "--way", "exact")[2].count("| exact | 4 |") == 1
    assert "| tiny | 4 |" in run("benchmark", "training", "--case", "tiny")[2]


@pytest.mark.parametrize("command", ["predict", "demo", "calibrate", "models"])
def test_every_command_has_help(run, command):
    status, out, _ = run(command, "--help")
    assert status == 0
    assert "--json" in out
