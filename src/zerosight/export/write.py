"""Graphs into files, with their facts inside."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zerosight import __version__
from zerosight.export.quantise import Quantiser
from zerosight.runtimes.facts import GraphFacts, require
from zerosight.runtimes.onnx import PREFIX
from zerosight.runtimes.openvino import SECTION

if TYPE_CHECKING:
    from onnx import ModelProto


def write_onnx(graph: ModelProto, facts: GraphFacts, path: Path) -> None:
    """Write one ``.onnx`` file; the facts are its ``metadata_props``."""
    from onnx import helper

    graph.producer_name, graph.producer_version = "zerosight", __version__
    helper.set_model_props(graph, {PREFIX + key: text for key, text in facts.to_properties().items()})
    path.write_bytes(graph.SerializeToString())


def write_openvino(
    graph: ModelProto, facts: GraphFacts, path: Path, quantiser: Quantiser | None = None
) -> None:
    """Write ``.xml`` and ``.bin``; the facts are ``rt_info``.

    Args:
        graph: The model.
        facts: Its metadata.
        path: Ends in ``.xml``.
        quantiser: Puts the image tower into int8; weights that stay floating are then stored in fp16.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    openvino = require("openvino", "openvino")
    import onnx

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        between = Path(folder) / "graph.onnx"
        onnx.save(graph, str(between), save_as_external_data=True, location="weights")
        model = openvino.Core().read_model(str(between))
        if quantiser:
            model = quantiser.openvino(model)
        for key, text in facts.to_properties().items():
            model.set_rt_info(text, [SECTION, key])
        openvino.save_model(model, str(path), compress_to_fp16=quantiser is not None)
