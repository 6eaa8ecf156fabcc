"""INT8: the image tower's weights and activations quantised after training, with NNCF."""

from __future__ import annotations

import logging
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from zerosight.runtimes.facts import INPUT
from zerosight.runtimes.packages import require

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, slots=True, eq=False)
class Quantiser:
    """What NNCF needs to know.

    Attributes:
        pixels: Calibration images at the model's size.
        tower: Names of the image tower's nodes in the ONNX graph; all others stay as they are.
        transformer: Whether the tower is one, whose attention NNCF treats with more care.
        careful: Whether weights get 7 of the 8 bits, so that no sum overflows on processors without VNNI.
    """

    pixels: UInt8[np.ndarray, "image size size 3"]
    tower: frozenset[str]
    transformer: bool
    careful: bool = False

    def onnx(self, graph: ModelProto) -> ModelProto:
        """Return an ONNX graph with its image tower in int8.

        Raises:
            MissingExtraError: NNCF or ONNX Runtime is not installed.
        """
        require("onnxruntime", "onnx")
        return self._quantise(graph, [node.name for node in graph.graph.node if node.name not in self.tower])

    def openvino(self, model: Any) -> Any:
        """Return an OpenVINO model, read from the ONNX graph, with its image tower in int8.

        OpenVINO makes ``NAME/part`` of some ONNX nodes. Its constants and ends have names of their own; NNCF
        quantises nothing at all where the input is among what it is to leave alone.

        Raises:
            MissingExtraError: NNCF is not installed.
        """
        inner = [
            op for op in model.get_ops() if op.get_type_name() not in ("Constant", "Parameter", "Result")
        ]
        names = [op.get_friendly_name() for op in inner]
        return self._quantise(model, [name for name in names if name.split("/")[0] not in self.tower])

    def _quantise(self, graph: Any, rest: list[str]) -> Any:
        nncf = require("nncf", "int8")
        nncf.set_log_level(logging.ERROR)
        fix = nncf.OverflowFix.ENABLE if self.careful else None
        with redirect_stdout(sys.stderr):  # where progress belongs
            return nncf.quantize(
                graph,
                nncf.Dataset([{INPUT: image[None]} for image in self.pixels]),
                subset_size=len(self.pixels),
                model_type=nncf.ModelType.TRANSFORMER if self.transformer else None,
                preset=nncf.QuantizationPreset.MIXED,
                ignored_scope=nncf.IgnoredScope(names=rest, validate=False),
                advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=fix),
            )
