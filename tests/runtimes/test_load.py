from __future__ import annotations

from pathlib import Path

import pytest

import zerosight
from zerosight.errors import ConfigError, MissingExtraError, WeightsError
from zerosight.models.card import ModelCard
from zerosight.preprocess import Preprocess
from zerosight.runtimes import facts
from zerosight.runtimes.facts import GraphFacts, require

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
FACTS = GraphFacts(ModelCard(name="ü"), Preprocess(32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)), "fp16")


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


@pytest.mark.parametrize(
    "damage",
    [
        {"card": "{"},
        {"card": "[]"},
        {"preprocess": "{}"},
        {"preprocess": '{"size": "x"}'},
        {"preprocess": "3"},
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


def test_a_missing_package_names_the_command():
    with pytest.raises(MissingExtraError, match=r"run: pip install 'zerosight\[onnx\]'"):
        require("no_such_package", "onnx")
    assert facts.require("json", "onnx").dumps([]) == "[]"
