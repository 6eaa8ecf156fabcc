"""The catalog, and a third model added in the five steps of CONTRIBUTING: only a folder and a line."""

from __future__ import annotations

import importlib
import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosight
from zerosight.errors import OutputError, WeightsError
from zerosight.models import catalog
from zerosight.models.catalog import ANOMALIES, FINDINGS, architecture_of, card_of, copy_model, task_of

RECORD = """
from zerosight.models import ANOMALIES, Architecture

ARCHITECTURE = Architecture(
    "bright", ANOMALIES, card="{package}.card:BrightCard", load="{package}.scorer:load_scorer"
)
"""
CARD = """
from typing import Literal

from zerosight.models import AnomalyCard


class BrightCard(AnomalyCard):
    architecture: Literal["bright"] = "bright"
    size: int = 16
"""
FOLDER = """
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load_file, save_file
from zerosight.files import sha256
from zerosight.models.card import WEIGHTS, save_card
from zerosight.models.catalog import find_model, load_card

from {package}.card import BrightCard


def save_model(gain, card, folder):
    folder.mkdir(parents=True)
    save_file({{"gain": np.float32([gain])}}, folder / WEIGHTS)
    card = card.model_copy(update={{"weights_sha256": sha256(folder / WEIGHTS)}})
    save_card(card, folder)
    return card


def load_model(name):
    folder = find_model(name)
    return load_file(folder / WEIGHTS)["gain"][0], load_card(folder, BrightCard)
"""
SCORER = """
import numpy as np
from zerosight.preprocess import Preprocess

from {package}.folder import load_model


class BrightScorer:
    def __init__(self, gain, size):
        self.gain = gain
        self.preprocess = Preprocess(size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    def score(self, pixels):
        maps = np.clip(self.gain * pixels.mean(-1, dtype=np.float32) / 255, 0, 1)
        return maps.max(axis=(1, 2)), maps


def load_scorer(name, device="cpu", precision="exact", compile=False):
    gain, card = load_model(name)
    return BrightScorer(gain, card.size), card
"""


def write_package(install, package: str, entries: dict[str, str]) -> None:
    texts = {"record": RECORD, "card": CARD, "folder": FOLDER, "scorer": SCORER}
    install(package, entries, **{name: text.format(package=package) for name, text in texts.items()})


def model_of(package: str, folder: Path) -> Path:
    save_model = importlib.import_module(f"{package}.folder").save_model
    card = importlib.import_module(f"{package}.card").BrightCard(name="my-bright")
    save_model(1.0, card, folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of a dark, normal image and one with a bright spot."""
    values = np.full((20, 30), 40, np.uint8)
    for kind in ("good", "bad"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        Image.fromarray(values).save(tmp_path / "photos" / kind / "1.png")
        values[5:15, 10:20] = 255
    return tmp_path / "photos"


@pytest.fixture(params=["plug-in", "line"])
def bright(request, install, tmp_path, monkeypatch) -> Path:
    """Return the folder of a model of the third architecture, registered in either way."""
    package = f"zs_bright_{request.param.replace('-', '')}"
    as_plug_in = request.param == "plug-in"
    entries = {"zerosight.models": f"bright = {package}.record:ARCHITECTURE"} if as_plug_in else {}
    write_package(install, package, entries)
    if not as_plug_in:
        line = importlib.import_module(f"{package}.record").ARCHITECTURE
        monkeypatch.setattr(catalog, "BUILT_IN", (*catalog.BUILT_IN, line))
    return model_of(package, tmp_path / "my-bright")


def test_a_third_model_predicts_through_the_command_and_the_library(run, bright, photos):
    status, out, _ = run("predict", photos, "--model", bright, "--json")
    assert status == 0
    said = {Path(line["source"]).parent.name: line for line in map(json.loads, out.splitlines())}
    assert said["good"]["is_anomalous"] is False
    assert said["bad"]["is_anomalous"] is True
    assert said["bad"]["regions"]
    [found] = zerosight.load(bright).predict(photos / "bad" / "1.png")
    assert found.to_dict() == said["bad"]


def test_a_third_model_is_shown_calibrated_evaluated_and_reported_on(run, bright, photos, tmp_path):
    assert "- Architecture: bright" in run("models", bright)[1]
    mine = tmp_path / "mine"
    words = ("calibrate", photos / "good", "--model", bright, "--out", mine)
    assert run(*words)[0] == 0
    assert card_of(mine).thresholds.image < 0.2
    status, out, _ = run(
        "evaluate", "--data", f"folder:{photos}", "--model", mine, "--resamples", 0, "--json"
    )
    assert status == 0
    assert json.loads(out)["model"] == {
        "model": "mine",
        "architecture": "bright",
        "weights_sha256": card_of(bright).weights_sha256,
    }
    assert run("predict", photos, "--model", mine, "--out", tmp_path / "out")[0] == 0
    assert "bright" in (tmp_path / "out" / "report.html").read_text()


def test_options_of_findings_mean_nothing_to_it(run, bright, photos):
    status, _, messages = run("predict", photos, "--model", bright, "--labels", "edema")
    assert (status, "--labels: means nothing to a model of anomalies" in messages) == (1, True)


def test_without_its_package_the_model_is_refused_in_one_line(run, bright, photos, monkeypatch):
    monkeypatch.setattr(catalog, "BUILT_IN", catalog.BUILT_IN[:2])
    monkeypatch.setattr(catalog, "plug_ins", lambda *_: {})
    status, _, messages = run("predict", photos, "--model", bright, "--json")
    assert status == 1
    assert "holds a 'bright'; known: vip2clip, llava-radz" in messages
    assert messages.count("\n") == 1


def test_a_broken_model_plug_in_does_not_stop_the_others(install, caplog):
    caplog.set_level(logging.WARNING)
    install("zs_broken_model", {"zerosight.models": "broken = zs_broken_model.record:NOTHING"})
    assert task_of("vip2clip-lite") is ANOMALIES
    assert "plug-in 'broken' of zerosight.models cannot be loaded" in caplog.text


def test_what_shipped_models_find_and_which_door_opens_them(tmp_path):
    assert architecture_of("vip2clip-lite").task is ANOMALIES
    assert task_of("radz-tiny") is FINDINGS
    (tmp_path / "model.onnx").write_bytes(b"")
    assert task_of(tmp_path / "model.onnx") is ANOMALIES
    with pytest.raises(
        WeightsError, match=r"which finds findings, not anomalies; use zerosight\.load_findings"
    ):
        zerosight.load("radz-tiny")
    with pytest.raises(WeightsError, match=r"not findings; use zerosight\.load$"):
        zerosight.load_findings("vip2clip-lite")


@pytest.mark.parametrize("name", ["vip2clip-lite", "radz-tiny"])
def test_a_copy_has_all_weights_and_never_lands_on_the_model_itself(name, tmp_path):
    card = card_of(name).model_copy(update={"name": "copy"})
    copy_model(name, card, tmp_path / "copy")
    source = catalog.find_model(name)
    weights = sorted(path.name for path in source.glob("*.safetensors"))
    assert sorted(path.name for path in (tmp_path / "copy").glob("*.safetensors")) == weights
    for file in weights:
        assert (tmp_path / "copy" / file).read_bytes() == (source / file).read_bytes()
    assert card_of(tmp_path / "copy") == card
    with pytest.raises(OutputError, match="is the model's own folder"):
        copy_model(tmp_path / "copy", card, tmp_path / "copy")
    (tmp_path / "copy" / weights[0]).unlink()
    with pytest.raises(WeightsError, match="no such file"):
        copy_model(tmp_path / "copy", card, tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_cards_and_the_command_line_need_no_pytorch():
    code = (
        "import sys, zerosight, zerosight.cli.main\n"
        "from zerosight.models import card_of\n"
        "from zerosight.predict import Predictor, Tiling, find_regions\n"
        "from zerosight.models.vip2clip import Vip2ClipCard\n"
        "print(card_of('vip2clip-lite').name, card_of('radz-tiny').name, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["vip2clip-lite", "radz-tiny", "False"]
