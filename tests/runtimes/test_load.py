from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosight
from zerosight.errors import ConfigError, WeightsError
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.preprocess import Preprocess
from zerosight.runtimes.facts import GraphFacts

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
FACTS = GraphFacts(Vip2ClipCard(name="ü"), Preprocess(32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)), "fp16")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Return a sound ONNX file that zerosight did not make."""
    from onnx import TensorProto, helper

    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", shapes[:1], shapes[1:])
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(tmp_path / "foreign.onnx"))
    return tmp_path / "foreign.onnx"


def test_facts_there_and_back():
    assert GraphFacts.from_properties(FACTS.to_properties(), "a.onnx") == FACTS


def test_a_model_that_pads_still_pads_after_export():
    padding = replace(FACTS, preprocess=replace(FACTS.preprocess, fit="pad"))
    found = GraphFacts.from_properties(padding.to_properties(), "a.onnx")
    assert found.preprocess.fit == "pad"
    wide = Image.new("RGB", (64, 16), "white")
    assert np.array_equal(found.preprocess.pixels(wide), padding.preprocess.pixels(wide))
    assert not np.array_equal(found.preprocess.pixels(wide), FACTS.preprocess.pixels(wide))


def test_graphs_from_before_there_was_a_fit_squash():
    properties = FACTS.to_properties()
    constants = json.loads(properties["preprocess"])
    del constants["fit"]
    assert GraphFacts.from_properties(properties | {"preprocess": json.dumps(constants)}, "a.onnx") == FACTS


@pytest.mark.parametrize(
    "damage",
    [
        {"card": "{"},
        {"card": "[]"},
        {"preprocess": "{}"},
        {"preprocess": '{"size": "x"}'},
        {"preprocess": "3"},
        {"preprocess": '{"size": -1, "mean": [0, 0, 0], "std": [1, 1, 1]}'},
        {"preprocess": '{"size": 1e9, "mean": [0, 0, 0], "std": [1, 1, 1]}'},
        {"preprocess": '{"size": 32, "mean": [0, 0], "std": [1, 1, 1]}'},
        {"preprocess": '{"size": 32, "mean": [0, 0, 1e999], "std": [1, 1, 1]}'},
        {"preprocess": '{"size": 32, "mean": [0, 0, 0], "std": [1, 0, 1]}'},
        {"preprocess": '{"size": 32, "mean": [0, 0, 0], "std": [1, 1, 1], "fit": "stretch"}'},
        {"precision": "fp7"},
    ],
)
def test_damaged_facts_are_one_line(damage):
    with pytest.raises(WeightsError, match=r"a\.onnx: its metadata") as refused:
        GraphFacts.from_properties(FACTS.to_properties() | damage, "a.onnx")
    assert "\n" not in str(refused.value)


def test_a_card_with_an_unknown_key_is_refused():
    with pytest.raises(ConfigError, match=r"a\.onnx: unknown key 'nam'"):
        GraphFacts.from_properties(FACTS.to_properties() | {"card": '{"nam": "x"}'}, "a.onnx")


def test_foreign_graphs_are_refused(foreign):
    import openvino

    with pytest.raises(WeightsError, match="holds no card, so zerosight did not export it"):
        zerosight.load(foreign)
    openvino.save_model(openvino.Core().read_model(str(foreign)), str(foreign.with_suffix(".xml")))
    with pytest.raises(WeightsError, match="holds no card, so zerosight did not export it"):
        zerosight.load(foreign.with_suffix(".xml"))


@pytest.mark.parametrize("name", ["model.onnx", "model.xml"])
@pytest.mark.parametrize("content", [b"", b"hello", b"<net", bytes(range(256)) * 4])
def test_damaged_and_missing_files_are_one_line(tmp_path, name, content):
    with pytest.raises(WeightsError, match="no such file"):
        zerosight.load(tmp_path / name)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(WeightsError, match=rf"{name}: ") as refused:
        zerosight.load(tmp_path / name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["foreign.onnx", "foreign.xml"])
def test_a_device_the_runtime_lacks_is_named(foreign, name):
    with pytest.raises(ConfigError, match=r"runs on .*cpu.*, got 'abacus'"):
        zerosight.load(foreign.with_name(name), device="abacus")


def test_a_precision_the_runtime_lacks_is_named(foreign):
    with pytest.raises(ConfigError, match="precision: ONNX Runtime computes a graph as it was exported"):
        zerosight.load(foreign, precision="fast")
