"""Graphs that carry our card and are something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zerosight
from zerosight.errors import WeightsError
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.preprocess import Preprocess
from zerosight.runtimes.facts import GraphFacts
from zerosight.runtimes.soundness import check_scores

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
openvino = pytest.importorskip("openvino")
SIDE = 4
FACTS = GraphFacts(Vip2ClipCard(name="x"), Preprocess(SIDE, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)), "fp32")


def write(
    folder: Path,
    *,
    score: float = 0.5,
    pixels: tuple[str, str, tuple] = ("pixels", "UINT8", ("n", SIDE, SIDE, 3)),
    outputs: tuple[str, str] = ("score", "map"),
) -> Path:
    """Write a graph for one image that gives a constant, and return its ``.onnx`` file."""
    from onnx import TensorProto, helper, numpy_helper

    name, kind, shape = pixels
    constants = [
        numpy_helper.from_array(np.full(1, score, np.float32), "s"),
        numpy_helper.from_array(np.zeros((1, SIDE, SIDE), np.float32), "m"),
    ]
    nodes = [
        helper.make_node("Identity", [constant], [output])
        for constant, output in zip("sm", outputs, strict=True)
    ]
    ends = [
        helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
        for output, shape in zip(outputs, (("n",), ("n", SIDE, SIDE)), strict=True)
    ]
    start = [helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape)]
    model = helper.make_model(
        helper.make_graph(nodes, "g", start, ends, constants),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    helper.set_model_props(model, {"zerosight." + key: text for key, text in FACTS.to_properties().items()})
    onnx.save(model, str(folder / "graph.onnx"))
    return folder / "graph.onnx"


def as_openvino(path: Path) -> Path:
    """Return the same graph in OpenVINO's format."""
    model = openvino.Core().read_model(str(path))
    for key, text in FACTS.to_properties().items():
        model.set_rt_info(text, ["zerosight", key])
    openvino.save_model(model, str(path.with_suffix(".xml")))
    return path.with_suffix(".xml")


@pytest.mark.parametrize("convert", [Path, as_openvino])
def test_a_sound_graph_is_loaded(tmp_path: Path, convert) -> None:
    [found] = zerosight.load(convert(write(tmp_path))).predict(np.zeros((8, 6, 3), np.uint8))
    assert found.score == 0.5


@pytest.mark.parametrize("convert", [Path, as_openvino])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score": np.nan}, "gives a score of nan"),
        ({"score": 7.0}, r"gives a score of 7, not in \[0, 1\]"),
        ({"score": -0.5}, "gives a score of -0.5"),
        ({"outputs": ("s1", "m1")}, "has no 'score' among"),
        ({"pixels": ("images", "UINT8", ("n", SIDE, SIDE, 3))}, "has no 'pixels' among images"),
        ({"pixels": ("pixels", "FLOAT", ("n", SIDE, SIDE, 3))}, "'pixels' is float32 .*, not uint8"),
        ({"pixels": ("pixels", "UINT8", ("n", 9, 9, 3))}, r"\(n × 9 × 9 × 3\), not uint8 \(n × 4 × 4 × 3\)"),
    ],
)
def test_another_graph_is_refused_when_it_is_loaded(tmp_path: Path, convert, change, says) -> None:
    with pytest.raises(WeightsError, match=says) as refused:
        zerosight.load(convert(write(tmp_path, **change)))
    assert "\n" not in str(refused.value)


def test_scores_of_another_shape_or_range_are_refused() -> None:
    maps = np.zeros((2, SIDE, SIDE), np.float32)
    scores, _ = check_scores(np.array([0, 1 + 1e-6], np.float32), maps, 2, SIDE)
    assert scores.tolist() == [0, 1]
    with pytest.raises(WeightsError, match="gives scores"):
        check_scores(np.zeros((2, 1), np.float32), maps, 2, SIDE)
    with pytest.raises(WeightsError, match="gives a map of nan"):
        check_scores(np.zeros(2, np.float32), np.full_like(maps, np.nan), 2, SIDE)
