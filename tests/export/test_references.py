"""References are part of the exported graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import zerosight
from zerosight.errors import ConfigError
from zerosight.export import ExportConfig, export_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("trace_once")]


@pytest.fixture(scope="module")
def parts() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(120 + rng.normal(0, 9, (50, 50, 3))).clip(0, 255).astype(np.uint8) for _ in range(8)]


@pytest.fixture
def fitted(model_folder: Path, parts: list[np.ndarray], tmp_path: Path) -> Path:
    zerosight.load(model_folder).with_normals(parts[:5]).save(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.mark.parametrize(("kind", "file"), [("onnx", "mine.onnx"), ("openvino", "mine.xml")])
def test_the_graph_with_references_is_the_model(fitted, parts, tmp_path, kind, file):
    pytest.importorskip("openvino" if kind == "openvino" else "onnxruntime")
    values = {"model": str(fitted), "format": kind, "out": tmp_path / file}
    done = export_model(ExportConfig.parse(values))
    assert done.agreement.score < 1e-4
    assert done.megabytes < 20
    predictors = [zerosight.load(model) for model in (fitted, tmp_path / file)]
    assert predictors[0].card == predictors[1].card
    for left, right in zip(*(one.predict(parts) for one in predictors), strict=True):
        assert left.score == pytest.approx(right.score, abs=1e-4)
        assert left.is_anomalous == right.is_anomalous
    with pytest.raises(ConfigError, match="gives no features"):
        predictors[1].with_normals(parts)


def test_another_size_is_one_line(fitted, tmp_path):
    with pytest.raises(ConfigError, match="fitted at 48 px"):
        export_model(ExportConfig.parse({"model": str(fitted), "size": 64, "out": tmp_path / "mine.onnx"}))


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_int8_of_an_image_tower_with_references(parts, tmp_path, kind):
    pytest.importorskip("nncf")
    pytest.importorskip("openvino" if kind == "openvino" else "onnxruntime")
    tower = zerosight.load("timm:test_efficientnet@random:0#64")
    tower.with_normals(parts).save(tmp_path / "mine")
    for i, part in enumerate(parts):
        Image.fromarray(part).save(tmp_path / f"{i}.png")
    out = tmp_path / ("mine.xml" if kind == "openvino" else "mine.onnx")
    values = {"model": str(tmp_path / "mine"), "format": kind, "out": out}
    plain = export_model(ExportConfig.parse(values))
    small = export_model(ExportConfig.parse(values | {"precision": "int8", "calibration": (str(tmp_path),)}))
    assert plain.agreement.score < 1e-4
    assert small.agreement.score <= 0.1
    assert small.megabytes < plain.megabytes
    if kind == "onnx":
        nodes = onnx.load(out).graph.node
        makers = {name: node.op_type for node in nodes for name in node.output}
        weights = [makers[node.input[1]] for node in nodes if node.op_type == "Conv"]
        assert weights[0] == "Cast"  # the first sees the pixels; those of single channels stay as well
        assert 0 < weights.count("DequantizeLinear") < len(weights) - 1
    graph = zerosight.load(out)
    assert graph.scorer.facts.precision == "int8"
    assert graph.card == zerosight.load(tmp_path / "mine").card
