"""evaluate and calibrate for models of findings: what the library says, in tables and files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from PIL import Image
from safetensors.torch import save_file

import zerosight
from zerosight.backbones.mllm.adapters import adapt
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.data.manifest import ManifestHeader, Record, read_manifest, write_manifest
from zerosight.evaluate.findings import ModelEvaluationConfig, evaluate_model
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.config import RadzConfig
from zerosight.models.llava_radz.folder import save_model
from zerosight.models.llava_radz.model import LlavaRadz

NOTICE = "research use only: not a medical device, not for diagnosis"


@pytest.fixture(scope="session")
def radz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny-radz"
    mllm = random_mllm("llava", config=MllmConfig(model="random:llava", max_text_tokens=32))
    save_model(LlavaRadz(adapt(mllm), RadzConfig(dim=8, hidden=8)), RadzCard(name="tiny-radz"), folder)
    return folder


@pytest.fixture
def chests(tmp_path: Path) -> Path:
    """Return a manifest of 40 images, bright where there is an effusion; half of them for validation."""
    rng = np.random.default_rng(0)
    records = []
    for i in range(40):
        pixels = rng.normal(60 + 100 * (i % 2), 10, (20, 24)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        labels = {"Effusion": i % 2, "Nodule": int(i % 3 == 0)}
        split = "test" if i < 20 else "val"
        view = "lateral" if i % 5 == 0 else "frontal"
        records.append(
            Record(f"{i}.png", labels=labels, category=view, split=split, group=f"SECRET-{i // 2}")
        )
    write_manifest(tmp_path / "chests.jsonl", ManifestHeader("chests", "."), records)
    return tmp_path / "chests.jsonl"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_json_is_what_the_library_says(run, chests, radz):
    words = ("--views", "frontal", "--labels", "Effusion, nodule", "--mode", "vs-normal")
    status, out, _ = run(
        *("evaluate", "--model", radz, "--data", chests, "--resamples", 20, "--json", *words)
    )
    assert status == 0
    values = json.loads(out)
    settings = ModelEvaluationConfig(
        views=("frontal",), labels=("Effusion", " nodule"), mode="vs-normal", resamples=20
    )
    expected = evaluate_model(zerosight.load_findings(radz), read_manifest(chests), settings)
    assert values["kind"] == "findings"
    assert values["datasets"] == [json.loads(json.dumps(expected.to_json()))]
    assert values["datasets"][0]["anchors"]["of"] == {"Effusion": "pleural effusion", "nodule": "nodule"}


def test_tables_files_and_resuming(run, chests, radz, tmp_path):
    out = tmp_path / "out"
    words = ("evaluate", "--model", radz, "--data", chests, "--out", out, "--resamples", 20)
    more = (
        "--vqa",
        "--finetune",
        0.5,
        "--finetune",
        1,
        "--train-split",
        "val",
    )
    status, _, messages = run(*words, *more, "--threshold", "validation", "--val-split", "val")
    assert status == 1
    assert "all 20 images are of patients in test or val" in messages
    status, _, messages = run(*words, *more, "--threshold", "oracle")
    assert status == 0, messages
    assert messages.count("AUROC") == 2
    assert "fine-tuned, 50 %: a linear layer on frozen features, fitted to 50 % of val" in messages
    assert "vqa: asked in words" in messages
    assert NOTICE in messages
    assert {path.name for path in out.iterdir()} == {
        *("evaluation.html", "evaluation.md", "evaluation.json", "chests")
    }
    status, printed, _ = run(*words, *more, "--threshold", "oracle", "--overwrite", "--json")
    assert json.loads(printed)["datasets"] == [json.loads((out / "evaluation.json").read_text())]
    status, _, messages = run(*words)
    assert status == 1
    assert "holds an evaluation; resume or overwrite it" in messages
    looks = (out / "chests" / "looks.jsonl").read_bytes()
    assert run(*words, "--resume", "--labels", "nodule")[0] == 0
    assert (out / "chests" / "looks.jsonl").read_bytes() == looks
    assert run(*words, "--overwrite", "--data", chests)[0] == 0
    assert len(list(out.glob("*/evaluation.html"))) == 2


def test_a_calibrated_model_brings_its_thresholds(run, chests, radz, tmp_path):
    status, _, messages = run("calibrate", chests, "--model", radz, "--out", tmp_path / "own")
    assert status == 0, messages
    assert "mode pos-neg, temperature" in messages
    assert "20 images of 10 patients of chests, split val" in messages
    assert "pleural effusion: threshold 0." in messages
    words = ("evaluate", "--model", tmp_path / "own", "--data", chests, "--resamples", 0, "--json")
    status, out, messages = run(*words, "--threshold", "validation")
    assert status == 0, messages
    [found] = json.loads(out)["datasets"]
    assert found["policy"]["thresholds"].startswith("the model's own, chosen on 20 images of 10 patients")
    assert "of 2 findings, on 20 images of 10 patients of chests, split val" in found["calibration"]
    card = json.loads((tmp_path / "own" / "card.json").read_text())
    before = json.loads((radz / "card.json").read_text())
    assert card["name"] == "own"
    assert card["weights_sha256"] == before["weights_sha256"]
    assert "SECRET" not in (tmp_path / "own" / "README.md").read_text()
    status, out, _ = run(
        *("calibrate", chests, "--model", radz, "--out", tmp_path / "again", "--labels", "nodule", "--json")
    )
    assert list(json.loads(out)["findings"]) == ["nodule"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("evaluate", "--labels", "nodul"), "label 'nodul' is not in the data (did you mean 'nodule'?)"),
        (("evaluate", "--labels", ""), "no label is named"),
        (("evaluate", "--threshold", "valid"), "did you mean 'validation'?"),
        (("evaluate", "--threshold", "validation"), "name a part with --val-split"),
        (("evaluate", "--finetune", "2"), "finetune.0: Input should be less than or equal to 1"),
        (("evaluate", "--finetune", "0.1"), "no images in split train; splits: test, val"),
        (("evaluate", "--aupro", "exact"), "--aupro: means nothing to a model of findings"),
        (("evaluate", "--views", "side"), "no category side; categories: lateral, frontal"),
        (("calibrate", "--false-alarms", "0.1"), "--false-alarms: means nothing to a model of findings"),
        (("calibrate", "--split", "train"), "no images in split train"),
    ],
)
def test_mistakes_are_one_line(run, chests, radz, tmp_path, words, said):
    command, *rest = words
    target = ("--data", chests) if command == "evaluate" else (chests, "--out", tmp_path / "out")
    status, _, messages = run(command, *target, "--model", radz, *rest)
    assert status == 1
    assert messages.startswith("error: ")
    assert said in messages
    assert messages.count("\n") == 1


def test_options_of_the_other_kind_are_refused(run, chests, model_folder, tmp_path):
    for words in (("--val-split", "val"), ("--vqa",), ("--write-descriptions",), ("--mode", "cosine")):
        status, _, messages = run("evaluate", "--model", model_folder, "--data", chests, *words)
        assert (status, messages) == (
            1,
            f"error: {words[0]}: means nothing to a model of anomalies; leave it out\n",
        )
    status, _, messages = run(
        *("calibrate", tmp_path, "--model", model_folder, "--out", tmp_path / "o", "--split", "val")
    )
    assert "--split: means nothing to a model of anomalies" in messages


def test_a_models_own_folder_is_not_written_over(run, chests, radz):
    status, _, messages = run("calibrate", chests, "--model", radz, "--out", radz)
    assert status == 1
    assert "is the model's own folder; name another one" in messages
    status, _, messages = run("calibrate", chests, chests, "--model", radz, "--out", radz)
    assert "2 data sets are named" in messages


def test_a_dual_encoder_stands_in_the_same_table(run, chests, tmp_path):
    torch.manual_seed(0)
    weights = tmp_path / "clip.safetensors"
    vision = CLIPVisionCfg(layers=1, width=64, patch_size=8, image_size=16)
    clip = CLIP(16, vision, CLIPTextCfg(width=64, heads=1, layers=1), quick_gelu=True)
    save_file({name: value.contiguous() for name, value in clip.state_dict().items()}, weights)
    words = ("--data", chests, "--resamples", 20, "--labels", "Effusion")
    status, out, _ = run("evaluate", "--model", f"openclip:{weights}", *words, "--json")
    assert status == 0
    [found] = json.loads(out)["datasets"]
    assert found["model"]["model"] == f"openclip:{weights}"
    assert found["anchors"]["provenance"] == "target-aware"
    assert 0 <= found["findings"][0]["auroc"]["value"] <= 1
    status, _, messages = run("evaluate", "--model", f"openclip:{weights}", *words, "--vqa")
    assert (status, "leave --vqa out" in messages) == (1, True)
    status, _, messages = run("calibrate", chests, "--model", "hf:nobody/nothing", "--out", tmp_path / "new")
    assert (status, "Traceback" in messages) == (1, False)
