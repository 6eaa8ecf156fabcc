"""Graphs into files, with their facts inside."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zerosight import __version__
from zerosight.errors import OutputError
from zerosight.export.properties import with_properties
from zerosight.export.quantise import Quantiser
from zerosight.files import write_atomically
from zerosight.runtimes.facts import GraphFacts
from zerosight.runtimes.onnx import PREFIX
from zerosight.runtimes.openvino import SECTION, open_core
from zerosight.runtimes.packages import require

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
        model = open_core().read_model(str(between))
        if quantiser:
            model = quantiser.openvino(model)
        for key, text in facts.to_properties().items():
            model.set_rt_info(text, [SECTION, key])
        openvino.save_model(model, str(path), compress_to_fp16=quantiser is not None)


def write_with_card(source: Path, facts: GraphFacts, path: Path) -> None:
    """Write an exported graph anew, with another card in its facts.

    Args:
        source: The graph; both files of an ``.xml``.
        facts: The new metadata.
        path: A new file of the same kind.

    Raises:
        OutputError: The file is there already, is of another kind, or cannot be written.
        MissingExtraError: A package is not installed.
    """
    if path.suffix.lower() != source.suffix.lower():
        raise OutputError(f"{path}: should be a {source.suffix} file, as the model is")
    if path.exists() or path.with_suffix(".bin").exists():
        raise OutputError(f"{path}: is there already; name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix.lower() == ".xml":
            openvino = require("openvino", "openvino")
            model = open_core().read_model(str(source))
            for key, text in facts.to_properties().items():
                model.set_rt_info(text, [SECTION, key])
            openvino.save_model(model, str(path), compress_to_fp16=False)
            return
        properties = {PREFIX + key: text for key, text in facts.to_properties().items()}
        write_atomically(path, with_properties(source.read_bytes(), properties))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
