"""``zerosight calibrate`` for models of anomalies: folders, exported graphs, and what it will not replace."""

from __future__ import annotations

import json

import pytest

import zerosight
from zerosight.export import ExportConfig, export_model


def test_a_folder_is_written_once(run, photos, model_folder, tmp_path):
    words = ("calibrate", photos, "--model", model_folder, "--out", tmp_path / "mine")
    assert run(*words)[0] == 0
    assert "fewer than 20" in run(*words, "--overwrite")[2]
    assert "holds a model already; use --overwrite" in run(*words)[2]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    status, _, text = run("calibrate", photos, "--model", model_folder, "--out", tmp_path / "other")
    assert status == 1
    assert "is no model; name another folder" in text
    card = json.loads((tmp_path / "mine" / "card.json").read_text())
    assert "3 normal images" in card["thresholds"]["source"]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.usefixtures("trace_once")
@pytest.mark.parametrize(("kind", "suffix"), [("onnx", ".onnx"), ("openvino", ".xml")])
def test_an_exported_graph_gets_thresholds_of_its_own(run, photos, model_folder, tmp_path, kind, suffix):
    pytest.importorskip("openvino" if kind == "openvino" else "onnxruntime")
    graph, out = tmp_path / f"tiny{suffix}", tmp_path / f"mine{suffix}"
    export_model(ExportConfig.parse({"model": str(model_folder), "format": kind, "out": graph}))
    status, _, text = run("calibrate", photos, "--model", graph, "--out", out)
    assert (status, "3 normal images" in text.replace("\n", " ")) == (0, True)
    before, after = zerosight.load(graph), zerosight.load(out)
    assert after.card.thresholds != before.card.thresholds
    assert after.card.name == "mine"
    for left, right in zip(
        before.predict(photos.glob("*.png")), after.predict(photos.glob("*.png")), strict=True
    ):
        assert left.score == right.score
    assert "is there already" in run("calibrate", photos, "--model", graph, "--out", out)[2]
    assert "as the model is" in run("calibrate", photos, "--model", graph, "--out", tmp_path / "a.txt")[2]
