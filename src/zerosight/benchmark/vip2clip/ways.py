"""Ways of computing a model: in PyTorch, and exported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from zerosight.benchmark.peak import Numbers
from zerosight.benchmark.vip2clip.workloads import Workload, pictures
from zerosight.choices import Arithmetic
from zerosight.errors import ConfigError, did_you_mean
from zerosight.export import ExportConfig, export_model
from zerosight.models.vip2clip.folder import save_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.models.vip2clip.scorer import TorchScorer
from zerosight.predict.anomalies import Scorer
from zerosight.runtimes.load import load_graph

CALIBRATION_IMAGES = 8


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is computed.

    Attributes:
        format: Of the exported graph; None stays in PyTorch.
        stored: Precision of the exported graph's weights.
        precision: Of the arithmetic.
        compile: Whether ``torch.compile`` translates it.
    """

    format: str | None = None
    stored: str = "fp32"
    precision: Arithmetic = "exact"
    compile: bool = False

    @property
    def numbers(self) -> Numbers:
        """What it multiplies, where it can choose."""
        if self.stored == "int8":
            return "int8"
        return "fp32" if self.precision == "exact" else "bf16"


WAYS = {
    "exact": Way(),
    "fast": Way(precision="fast"),
    "exact-compiled": Way(compile=True),
    "fast-compiled": Way(precision="fast", compile=True),
    "onnx": Way("onnx"),
    "onnx-int8": Way("onnx", "int8"),
    "openvino": Way("openvino"),
    "openvino-fast": Way("openvino", precision="fast"),
    "openvino-int8": Way("openvino", "int8", "fast"),
}


def check_ways(names: list[str]) -> None:
    """Refuse a way that does not exist.

    Raises:
        ConfigError: It does not.
    """
    for name in names:
        if name not in WAYS:
            raise ConfigError(f"--way: '{name}' is not known{did_you_mean(name, WAYS)}; {', '.join(WAYS)}")


def make_scorer(name: str, workload: Workload, model: Vip2Clip, graphs: Path) -> Scorer:
    """Return a model computed in one of the ways, in as many threads as PyTorch uses.

    Args:
        name: One of ``WAYS``.
        workload: What it is.
        model: What ``workload`` builds.
        graphs: Where exported graphs are kept; what is there is used again.

    Raises:
        MissingExtraError: The way needs a package that is not installed.
    """
    way = WAYS[name]
    if way.format is None:
        return TorchScorer(model, precision=way.precision, compile=way.compile)
    path = graphs / f"{workload.name.split(',')[0].replace('/', '-')}-{way.stored}"
    path = path.with_name(path.name + (".xml" if way.format == "openvino" else ".onnx"))
    if not path.exists():
        _export(workload, way, path)
    return load_graph(path, threads=torch.get_num_threads(), precision=way.precision)


def _export(workload: Workload, way: Way, path: Path) -> None:
    folder = path.parent / f"{path.stem}-model"
    photos = path.parent / f"{path.stem}-photos"
    model, card = workload.build()
    if not workload.model:
        save_model(model, card, folder)
    settings = {
        "model": workload.model or str(folder),
        "out": path,
        "format": way.format,
        "precision": way.stored,
    }
    if way.stored == "int8":
        photos.mkdir(exist_ok=True)
        for i, picture in enumerate(pictures(CALIBRATION_IMAGES, model.encoder.preprocess, seed=1)):
            Image.fromarray(np.ascontiguousarray(picture)).save(photos / f"{i}.png")
        settings |= {"calibration": (str(photos),)}
    del model
    export_model(ExportConfig.parse(settings, os.fspath(path)))
