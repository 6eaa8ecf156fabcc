"""One export from beginning to end: trace, convert, compare, and only then put in place."""

from __future__ import annotations

import os
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
from zerosight.errors import ConfigError, ExportError, OutputError
from zerosight.export.check import Agreement, compare
from zerosight.export.config import ExportConfig
from zerosight.export.graph import LARGEST, forget_sources, halve, mixing_nodes, to_onnx, tower_nodes
from zerosight.export.quantise import Quantiser
from zerosight.export.write import write_onnx, write_openvino
from zerosight.identity import scratch_folder
from zerosight.models.card import AnomalyCard
from zerosight.models.catalog import architecture_of
from zerosight.models.references.folder import load_references
from zerosight.models.references.scorer import ReferenceScorer
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import load_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.models.vip2clip.scorer import TorchScorer
from zerosight.predict.anomalies import Scorer
from zerosight.preprocess import Preprocess
from zerosight.runtimes.facts import GraphFacts
from zerosight.runtimes.load import load_graph
from zerosight.runtimes.packages import require

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
    scorer, card = _scorer(config)
    graph = to_onnx(scorer)
    images = _images(config, scorer.preprocess)
    compares = isinstance(scorer, ReferenceScorer)
    quantiser = _quantiser(graph, images, compares) if config.precision == "int8" else None
    forget_sources(graph)
    if config.format == "onnx" and quantiser:
        graph = quantiser.onnx(graph)
    if config.precision == "fp16" or (config.format == "onnx" and quantiser):
        halve(graph)
    facts = GraphFacts(card, scorer.preprocess, config.precision)
    return _write(config, graph, facts, quantiser, scorer, images)


def _quantiser(
    graph: ModelProto, images: UInt8[np.ndarray, "image size size 3"], compares: bool
) -> Quantiser:
    """Return what of a graph goes into 8 bits; less of it where patches are compared with normal ones.

    Args:
        graph: As :func:`to_onnx` returns it.
        images: For calibration.
        compares: Whether the model has references.
    """
    if tower_nodes(graph, ("Softmax",)):
        return Quantiser(images, frozenset(tower_nodes(graph)), transformer=True, careful=compares)
    # what lite measures on its channels wants all digits
    chosen = mixing_nodes(graph) if compares else tower_nodes(graph, ("Conv",))
    return Quantiser(images, frozenset(chosen), transformer=False, careful=compares)


def _scorer(config: ExportConfig) -> tuple[TorchScorer | ReferenceScorer, AnomalyCard]:
    """Return the model to be exported, at the wanted size.

    Raises:
        ConfigError: The backbone cannot read that size, or references were fitted at another.
    """
    if architecture_of(config.model).name != "references":
        loaded = load_model(config.model)
        model, card = resized(loaded.model, loaded.card, config.size)
        return TorchScorer(model), card
    references = ReferenceScorer(load_references(config.model))
    own = references.preprocess.size
    if config.size not in (None, own):
        raise ConfigError(f"size: these references were fitted at {own} px; fit them again at another size")
    return references, references.loaded.card


def resized(model: Vip2Clip, card: Vip2ClipCard, size: int | None) -> tuple[Vip2Clip, Vip2ClipCard]:
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
    scorer: Scorer,
    images: np.ndarray,
) -> Exported:
    """Write beside the wanted place, compare what was written, then move it there."""
    try:
        config.out.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(config.out.parent, config.out.name) as folder:
            draft = folder / config.out.name
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
            parts = sorted(folder.iterdir())  # .bin before .xml: the graph appears with its weights
            megabytes = sum(part.stat().st_size for part in parts) / 1e6
            for part in parts:
                os.replace(part, config.out.parent / part.name)
    except OSError as error:
        raise OutputError(f"{config.out}: cannot be written ({error.strerror or error})") from None
    return Exported(config.out, scorer.preprocess.size, megabytes, agreement)
