"""The evaluate command: what the library says, in tables and files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosight
from zerosight.data.layouts import open_dataset
from zerosight.evaluate.anomalies import EvaluationConfig, evaluate


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Return a folder of two products with good and bad parts, and masks for one of them."""
    rng = np.random.default_rng(0)
    for product in ("nut", "cap"):
        for number in range(6):
            kind = "bad" if number % 2 else "good"
            path = tmp_path / "parts" / product / "test" / kind / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (30, 40, 3)).astype(np.uint8)).save(path)
            if product == "nut" and number % 2:
                mask = np.zeros((30, 40), np.uint8)
                mask[4 * number : 4 * number + 9, 8:20] = 255
                path = tmp_path / "parts" / product / "ground_truth" / kind / f"{number}_mask.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(path)
    return tmp_path / "parts"


def test_json_is_what_the_library_says(run, parts, model_folder):
    words = ("--model", model_folder, "--data", f"folder:{parts}", "--resolution", "native", "--json")
    status, out, _ = run("evaluate", *words)
    assert status == 0
    values = json.loads(out)
    config = EvaluationConfig(resolution="native")
    expected = evaluate(zerosight.load(model_folder), open_dataset(f"folder:{parts}"), config).to_json()
    [found] = values["datasets"]
    assert found == json.loads(json.dumps(expected))
    assert values["model"]["model"] == "tiny"
    assert values["settings"]["resolution"] == "native"
    reasons = {c["name"]: c["pixel"]["auroc"]["reason"] for c in found["categories"]}
    assert reasons == {"cap": "no masks", "nut": None}


def test_tables_files_and_resuming(run, parts, model_folder, tmp_path):
    out = tmp_path / "out"
    words = ("evaluate", "--model", model_folder, "--data", f"folder:{parts}", "--data", f"folder:{parts}")
    words = (*words, "--out", out, "--aupro", "published")
    status, _, messages = run(*words)
    assert status == 0
    assert "pixel level n/a: no masks (cap)" in messages
    assert messages.count("AUROC") == 4
    assert {path.name for path in out.iterdir()} >= {"evaluation.html", "evaluation.md", "evaluation.json"}
    assert len(list(out.glob("*/scores.jsonl"))) == 2
    status, printed, _ = run(*words, "--overwrite", "--json")
    assert (status, json.loads(printed)) == (0, json.loads((out / "evaluation.json").read_text()))
    status, _, messages = run(*words)
    assert status == 1
    assert "holds an evaluation; resume or overwrite it" in messages
    before = {path: path.read_bytes() for path in out.glob("*/scores.jsonl")}
    assert run(*words, "--resume")[0] == 0
    assert {path: path.read_bytes() for path in before} == before
    assert run(*words, "--overwrite", "--categories", "nut")[0] == 0
    assert json.loads((out / "evaluation.json").read_text())["settings"]["categories"] == ["nut"]


def test_strict_names_the_file_and_the_rest_is_kept(run, parts, model_folder, tmp_path):
    (parts / "nut" / "test" / "good" / "2.png").write_bytes(b"")
    words = ("evaluate", "--model", model_folder, "--data", f"folder:{parts}", "--out", tmp_path / "out")
    status, _, messages = run(*words, "--strict", "--batch-size", 1)
    assert status == 1
    assert messages.startswith("error: ")
    assert "2.png: is empty (0 bytes)" in messages
    status, _, messages = run(*words, "--resume")
    assert status == 0
    assert "left out, unreadable image: 1" in messages


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "folder:{parts}", "--model", "none"), "no model or model folder is called 'none'"),
        (("--data", "{parts}/nut/test/bad"), "no folder here"),
        (("--data", "folder:{parts}", "--split", "val"), "no images in split val; splits: test"),
        (("--data", "folder:{parts}", "--categories", "nit"), "did you mean 'nut'"),
        (("--data", "folder:{parts}", "--batch-size", "0"), "batch_size"),
    ],
)
def test_mistakes_are_one_line(run, parts, model_folder, words, said):
    status, _, messages = run(
        "evaluate", "--model", model_folder, *(word.format(parts=parts) for word in words)
    )
    assert status == 1
    assert messages.startswith("error: ")
    assert said in messages
