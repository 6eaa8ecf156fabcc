"""``predict --batch-reference`` and ``evaluate --batch-reference``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image
from toys import draw_brains


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set of eleven normal and four anomalous images."""
    return draw_brains(tmp_path_factory.mktemp("parts"), 11, 4)


def test_every_result_says_that_it_depends_on_the_others(run, root, model_folder, tmp_path):
    out = tmp_path / "out"
    words = ("predict", root, "--model", model_folder, "--batch-reference", "--no-report", "--out", out)
    code, _, text = run(*words)
    assert code == 0
    assert "every score depends on the other images" in text
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert len(lines) == 15
    assert all(line["transductive"] for line in lines)
    assert {
        row["transductive"] for row in csv.DictReader((out / "predictions.csv").read_text().splitlines())
    } == {"true"}
    assert run(*words, "--resume")[0] == 0
    (root / "no" / "more.png").write_bytes((root / "yes" / "0.png").read_bytes())
    assert run(*words, "--resume")[0] == 0  # a copy is no other batch
    Image.effect_noise((48, 48), 80).save(root / "no" / "more.png")
    code, _, text = run(*words, "--resume")
    (root / "no" / "more.png").unlink()
    assert code == 1
    assert "batch" in text


def test_shares_of_anomalies_are_measured_side_by_side(run, root, model_folder):
    words = ("evaluate", "--data", f"brain_mri:{root}", "--model", model_folder, "--draws", 2)
    code, out, _ = run(*words, "--batch-reference", "0.1,0.25", "--json")
    assert code == 0
    [found] = json.loads(out)["datasets"]
    assert [(row["share"], row["images"]) for row in found["rows"]] == [(0.1, 12), (0.25, 14)]
    assert found["rows"][0]["mean"]["image_auroc"] > 0.9
    assert found["rows"][0]["mean"]["batch_auroc"] > 0.9
    assert len(found["trials"]) == 4
    code, _, text = run(*words, "--batch-reference", "0.1")
    assert "the batch as its own reference" in text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("predict", "--batch-reference", "--tile", 0), "leaves no room for --tile"),
        (("predict", "--batch-reference", "--normals", "no"), "leaves no room for --normals"),
        (("predict", "--runtime", "onnx", "--batch-reference"), "does not go with --batch-reference"),
        (("evaluate", "--batch-reference", "0.1,x"), "should be shares of anomalies such as"),
        (("evaluate", "--batch-reference", "0,1"), "should be shares of anomalies in (0, 1)"),
        (("evaluate", "--batch-reference", "0.9"), "at least 10 are compared"),
        (("evaluate", "--batch-reference", "0.1", "--normals", "2"), "--normals: means nothing"),
    ],
)
def test_what_is_wrong_is_one_line(run, root, model_folder, words, text, monkeypatch):
    monkeypatch.chdir(root)
    place = ("--data", f"brain_mri:{root}") if words[0] == "evaluate" else (root, "--json")
    code, _, told = run(*words, *place, "--model", model_folder)
    assert code == 1
    assert text in told.replace("\n", " ")
