"""From a model to one ONNX graph, weights and metadata inside."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from zerosight.logs import unheard
from zerosight.models.references.scorer import ReferenceScorer
from zerosight.models.vip2clip.scorer import TorchScorer
from zerosight.runtimes.facts import INPUT, MAP, SCORE
from zerosight.runtimes.packages import require

if TYPE_CHECKING:
    from onnx import ModelProto

EXAMPLE_BATCH = 5  # no other axis has this length, so that the exporter cannot take one for the other
HALF_MAX = 65504.0
OPSET = 20
COLOURS = 3
LARGEST = 2**31 - 2**20


def to_onnx(scorer: TorchScorer | ReferenceScorer) -> ModelProto:
    """Return the model as an ONNX graph in fp32: ``pixels`` in, ``score`` and ``map`` out, any batch.

    Raises:
        MissingExtraError: A package that exporting needs is not installed.
    """
    for package in ("onnx", "onnxscript"):
        require(package, "onnx")
    size = scorer.preprocess.size
    pixels = np.zeros((EXAMPLE_BATCH, size, size, 3), np.uint8)
    scorer.score(pixels)  # what is computed once per size is a constant from here on
    with _quiet(), torch.no_grad():
        traced = torch.export.export(
            scorer.network,
            (torch.from_numpy(pixels),),
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch", min=1)}},
            strict=False,
        )
        program = torch.onnx.export(
            traced,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[SCORE, MAP],
        )
    if program is None:
        raise AssertionError("the exporter gave no program")
    graph = program.model_proto
    fold_weights(graph)
    return graph


def tower_nodes(graph: ModelProto, kinds: tuple[str, ...] | None = None) -> list[str]:
    """Return the names of the image tower's nodes: all that come before the adapters' first.

    Args:
        graph: As :func:`to_onnx` returns it, before :func:`forget_sources`.
        kinds: ONNX operators; None takes all.
    """
    names: list[str] = []
    for node in graph.graph.node:
        scopes = next((p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"), "")
        if "'model'" in scopes:
            return names
        if kinds is None or node.op_type in kinds:
            names.append(node.name)
    return names


def mixing_nodes(graph: ModelProto) -> list[str]:
    """Return the names of the image tower's convolutions that add up more channels than a picture has.

    The others are the first, which sees the pixels, and those that keep channels apart: there one scale of 8
    bits has to serve channels of very different size, which distances to normal patches do not bear.

    Args:
        graph: As for :func:`tower_nodes`.
    """
    weights = {tensor.name: tensor.dims for tensor in graph.graph.initializer}
    tower = set(tower_nodes(graph, ("Conv",)))
    return [
        node.name
        for node in graph.graph.node
        if node.name in tower and weights.get(node.input[1], (0, 0))[1] > COLOURS
    ]


def fold_weights(graph: ModelProto) -> None:
    """Transpose and cast weights here and now, which the exporter leaves to run time if they are large.

    NNCF knows a matrix as a weight only where it is stored as it is used, and fails on a weight that is cast.
    """
    from onnx import helper, numpy_helper

    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    folded = set()
    for node in list(graph.graph.node):
        if node.op_type not in ("Transpose", "Cast") or node.input[0] not in weights:
            continue
        values = numpy_helper.to_array(weights[node.input[0]])
        settings = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "Cast":
            values = values.astype(helper.tensor_dtype_to_np_dtype(settings["to"]))
        else:
            values = np.ascontiguousarray(values.transpose(settings.get("perm")))
        graph.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        weights[node.output[0]] = graph.graph.initializer[-1]
        graph.graph.node.remove(node)
        folded.add(node.input[0])
    used = {name for node in graph.graph.node for name in node.input}
    for i in reversed(range(len(graph.graph.initializer))):
        if graph.graph.initializer[i].name in folded - used:
            del graph.graph.initializer[i]


def forget_sources(graph: ModelProto) -> None:
    """Remove the exporter's notes on lines of source code, which name files of this machine."""
    graph.ClearField("metadata_props")
    graph.graph.ClearField("metadata_props")
    parts = (graph.graph.node, graph.graph.initializer, graph.graph.value_info)
    for part in (*parts, graph.graph.input, graph.graph.output):
        for item in part:
            item.ClearField("metadata_props")
            item.ClearField("doc_string")


def halve(graph: ModelProto) -> None:
    """Store weight matrices in half precision; the runtime widens them once, when it loads the graph."""
    from onnx import TensorProto, helper, numpy_helper

    widened = []
    for tensor in graph.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > HALF_MAX:
            continue
        name, stored = tensor.name, f"{tensor.name}.fp16"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        widened.append(helper.make_node("Cast", [stored], [name], name=f"{name}.widen", to=TensorProto.FLOAT))
    nodes = [*widened, *graph.graph.node]
    graph.graph.ClearField("node")
    graph.graph.node.extend(nodes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on its own progress from the user."""
    with warnings.catch_warnings(), unheard(logging.ERROR):
        warnings.simplefilter("ignore")
        yield
