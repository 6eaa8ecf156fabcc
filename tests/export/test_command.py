from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from zerosight.cli import main


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function that runs the command line and gives exit status, output and messages."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["zerosight", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main.run()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return call


def test_export_then_predict(command, trace_once, model_folder, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    graph = tmp_path / "new" / "model.onnx"
    status, out, _ = command("export", "--model", model_folder, "--out", graph, "--json")
    assert status == 0
    assert json.loads(out)["agreement"]["score"] < 1e-5
    status, out, err = command("export", "--model", model_folder, "--out", graph)
    assert (status, out) == (0, "")
    assert "largest difference from the model over 7 images: score" in err
    found = [
        json.loads(command("predict", tmp_path / "photo.png", "--json", "--model", model)[1])
        for model in (graph, model_folder)
    ]
    assert found[0]["score"] == pytest.approx(found[1]["score"], abs=1e-5)
    assert found[0]["threshold"] == found[1]["threshold"]


def test_errors_are_one_line(command, tmp_path):
    for words in (
        ("--out", tmp_path / "model.bin"),
        ("--out", tmp_path / "model.onnx", "--precision", "int8"),
        ("--out", tmp_path / "model.onnx", "--model", "none"),
        ("--out", tmp_path / "model.onnx", "--size", "5"),
    ):
        status, out, err = command("export", *words)
        assert (status, out) == (1, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
