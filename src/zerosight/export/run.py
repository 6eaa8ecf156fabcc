"""One export from beginning to end: trace, convert, compare, and only then put in place."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from zerosight.backbones.build import build_encoder
from zerosight.backbones.config import BackboneConfig
from zerosight.data.find import find_images
from zerosight.data.pixels import read_image
from zerosight.errors import ExportError, OutputError
from zerosight.export.check import Agreement, compare
from zerosight.export.config import ExportConfig
from zerosight.export.graph import LARGEST, forget_sources, halve, to_onnx, tower_nodes
from zerosight.export.quantise import Quantiser
from zerosight.export.write import write_onnx, write_openvino
from zerosight.models.card import ModelCard
from zerosight.models.folder import load_model
from zerosight.models.scorer import TorchScorer
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.preprocess import Preprocess
from zerosight.runtimes.facts import GraphFacts, require
from zerosight.runtimes.load import load_graph

if TYPE_CHECKING:
    from onnx import ModelProto

COMPARED = 7


@dataclass(frozen=True, slots=True)
class Exported:
    """A graph that was written and agrees with its model.

    Attributes:
        path: The file.
        size: Height and width of the graph's input, in pixels.
        megabytes: Size of the file, the weights beside it included.
        agreement: How far it is from the model.
    """

    path: Path
    size: int
    megabytes: float
    agreement: Agreement

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "path": str(self.path),
            "size": self.size,
            "megabytes": round(self.megabytes, 3),
            "agreement": self.agreement.to_json(),
        }


def export_model(config: ExportConfig) -> Exported:
    """Write a model as one graph from pixels to score and map, after holding it to the model.

    Raises:
        ExportError: The graph does not agree with the model, or is too large for its format.
        MissingExtraError: A package is not installed; the message names the command.
        WeightsError: There is no such model.
        ImageReadError: A calibration image cannot be read.
        OutputError: The file cannot be written.
    """
    for package in (config.format.replace("onnx", "onnxruntime"), "onnx", "onnxscript"):
        require(package, config.format)
    model, card = resized(*load_model(config.model), config.size)
    scorer = TorchScorer(model)
    graph = to_onnx(scorer)
    images = _images(config, scorer.preprocess)
    quantiser = None
    if config.precision == "int8":
        transformer = card.backbone.kind != "lite"
        kinds = None if transformer else ("Conv",)  # what lite measures on its channels wants all digits
        quantiser = Quantiser(images, frozenset(tower_nodes(graph, kinds)), transformer)
    forget_sources(graph)
    if config.format == "onnx" and quantiser:
        graph = quantiser.onnx(graph)
    if config.precision == "fp16" or (config.format == "onnx" and quantiser):
        halve(graph)
    facts = GraphFacts(card, scorer.preprocess, config.precision)
    return _write(config, graph, facts, quantiser, scorer, images)


def resized(model: Vip2Clip, card: ModelCard, size: int | None) -> tuple[Vip2Clip, ModelCard]:
    """Return a model that reads images at another size, and its card; None changes nothing.

    Raises:
        ConfigError: The backbone cannot read that size.
    """
    own = model.encoder.preprocess.size
    if size is None or size == own:
        return model, card
    backbone = BackboneConfig.parse(card.backbone.model_dump() | {"image_size": size}, "--size")
    other = Vip2Clip(build_encoder(backbone), card.model)
    other.load_state_dict(model.state_dict())
    note = f"exported for {size} px; weights and thresholds were made at {own} px"
    changes = {
        "backbone": backbone,
        "backbone_fingerprint": other.encoder.fingerprint,
        "notes": (*card.notes, note),
    }
    return other.eval().requires_grad_(False), card.model_copy(update=changes)


def _images(config: ExportConfig, preprocess: Preprocess) -> UInt8[np.ndarray, "image size size 3"]:
    """Return the calibration images, or seeded pictures of blots and noise where none are needed."""
    if config.calibration:
        paths = islice(find_images(config.calibration), config.calibration_images)
        return np.stack([preprocess.pixels(read_image(path)) for path in paths])
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (COMPARED, 9, 9, 3), dtype=np.uint8)
    coarse[0] = 127  # a picture of nothing, where a division by zero would show
    return np.stack([preprocess.pixels(read_image(picture)) for picture in coarse])


def _write(
    config: ExportConfig,
    graph: ModelProto,
    facts: GraphFacts,
    quantiser: Quantiser | None,
    scorer: TorchScorer,
    images: np.ndarray,
) -> Exported:
    """Write beside the wanted place, compare what was written, then move it there."""
    try:
        config.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=config.out.parent, prefix=f".{config.out.name}.") as folder:
            draft = Path(folder) / config.out.name
            if config.format == "openvino":
                write_openvino(graph, facts, draft, quantiser)
            else:
                if graph.ByteSize() > LARGEST:
                    raise ExportError(
                        "one ONNX file holds at most 2 GB, which this model exceeds; use --format openvino "
                        "or --precision fp16"
                    )
                write_onnx(graph, facts, draft)
            agreement = compare(scorer, load_graph(draft), images[:COMPARED])
            agreement.check(config.precision)
            parts = sorted(Path(folder).iterdir())  # .bin before .xml: the graph appears with its weights
            megabytes = sum(part.stat().st_size for part in parts) / 1e6
            for part in parts:
                os.replace(part, config.out.parent / part.name)
    except OSError as error:
        raise OutputError(f"{config.out}: cannot be written ({error.strerror or error})") from None
    return Exported(config.out, scorer.preprocess.size, megabytes, agreement)
