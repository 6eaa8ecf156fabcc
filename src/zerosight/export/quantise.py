"""INT8: the image tower's weights and activations quantised after training, with NNCF."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from zerosight.export.graph import tower_nodes
from zerosight.runtimes.facts import INPUT, require

if TYPE_CHECKING:
    from onnx import ModelProto


def quantise(
    graph: ModelProto, pixels: UInt8[np.ndarray, "image size size 3"], transformer: bool
) -> ModelProto:
    """Return the graph with its image tower in int8; adapters, text tower and map stay as they are.

    Args:
        graph: As :func:`~zerosight.export.graph.to_onnx` returns it.
        pixels: Calibration images at the model's size.
        transformer: Whether the tower is one, whose attention NNCF treats with more care.

    Raises:
        MissingExtraError: NNCF or ONNX Runtime is not installed.
    """
    os.environ.setdefault("NNCF_CI", "1")  # read on import; without it NNCF reports its use to its makers
    nncf = require("nncf", "int8")
    require("onnxruntime", "onnx")
    nncf.set_log_level(logging.ERROR)
    tower = set(tower_nodes(graph))
    rest = [node.name for node in graph.graph.node if node.name not in tower]
    with redirect_stdout(sys.stderr):  # where progress belongs
        return nncf.quantize(
            graph,
            nncf.Dataset([{INPUT: image[None]} for image in pixels]),
            subset_size=len(pixels),
            model_type=nncf.ModelType.TRANSFORMER if transformer else None,
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=rest, validate=False),
        )
