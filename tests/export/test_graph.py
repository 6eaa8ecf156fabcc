from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest

from zerosight.export.graph import fold_weights, forget_sources, halve, mixing_nodes, tower_nodes

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(graph, x: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"x": x})[0]


@pytest.fixture
def product():
    """Return the graph of x · wᵀ + x · vᵀ · v · w + b, with w and b stored as they are and v used twice."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(size=(4, 4)).astype(np.float32), name) for name in ("w", "v")
    ]
    weights.append(numpy_helper.from_array(np.full((1, 1), 1e6, np.float32), "large"))
    weights.append(numpy_helper.from_array(np.full((1, 4), 0.5, np.float64), "wide"))
    nodes = [
        helper.make_node("Transpose", ["w"], ["wt"], "turn_w", perm=[1, 0]),
        helper.make_node("Transpose", ["wt"], ["wtt"], "turn_again"),
        helper.make_node("Transpose", ["v"], ["vt"], "turn_v"),
        helper.make_node("Cast", ["wide"], ["bias"], "narrow", to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "wt"], ["a"], "a"),
        helper.make_node("MatMul", ["x", "vt"], ["b"], "b"),
        helper.make_node("MatMul", ["b", "v"], ["e"], "e"),
        helper.make_node("MatMul", ["e", "wtt"], ["c"], "c"),
        helper.make_node("Add", ["a", "bias"], ["d"], "d"),
        helper.make_node("Add", ["d", "c"], ["s"], "s"),
        helper.make_node("Add", ["s", "large"], ["t"], "t"),
        helper.make_node("Sub", ["t", "large"], ["y"], "y"),
    ]
    inner = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        weights,
    )
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_folding_weights_changes_no_value(product):
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    expected = run(product, x)
    fold_weights(product)
    assert not {"Transpose", "Cast"} & {node.op_type for node in product.graph.node}
    assert {tensor.name for tensor in product.graph.initializer} == {"wt", "wtt", "vt", "v", "large", "bias"}
    np.testing.assert_array_equal(run(product, x), expected)


def test_halving_rounds_matrices_and_leaves_what_does_not_fit(product):
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    expected = run(product, x)
    halve(product)
    kinds = {tensor.name: tensor.data_type for tensor in product.graph.initializer}
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    assert kinds == {"w.fp16": half, "v.fp16": half, "large": single, "wide": onnx.TensorProto.DOUBLE}
    np.testing.assert_allclose(run(product, x), expected, atol=0.2)


def test_the_tower_ends_where_the_adapters_begin(traced):
    names = tower_nodes(traced)
    kinds = {node.name: node.op_type for node in traced.graph.node}
    assert 0 < len(names) < len(kinds)
    assert "Conv" in {kinds[name] for name in names}
    assert "TopK" not in {kinds[name] for name in names}


def test_what_keeps_channels_apart_or_sees_the_pixels_is_not_among_the_mixing():
    from onnx import helper, numpy_helper

    shapes = {"first": (8, 3, 3, 3), "apart": (8, 1, 3, 3), "mixing": (4, 8, 1, 1)}
    weights = [numpy_helper.from_array(np.zeros(shape, np.float32), f"{k}.w") for k, shape in shapes.items()]
    nodes = [helper.make_node("Conv", ["x", f"{name}.w"], [name], name) for name in shapes]
    nodes.append(helper.make_node("Conv", ["x", "computed"], ["z"], "computed"))
    assert mixing_nodes(helper.make_model(helper.make_graph(nodes, "g", [], [], weights))) == ["mixing"]


def test_nothing_of_the_machine_stays_in_the_graph(traced):
    graph = deepcopy(traced)
    forget_sources(graph)
    assert b".py" not in graph.SerializeToString()
