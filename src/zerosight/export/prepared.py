"""Prepared graphs: a model as a graph in the user's cache, made on first use, so that it starts sooner.

A graph needs no PyTorch, whose import alone takes longer than a dozen images. It is held to the model
(:mod:`zerosight.export.check`) and kept in ``~/.cache/zerosight/graphs`` under a key of the model's card and
weights and of our code. Scores differ from PyTorch's by millionths. Our default, not the papers'.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from zerosight.choices import Arithmetic, GraphFormat, Runtime
from zerosight.errors import ConfigError, WeightsError, ZerosightError
from zerosight.export.config import SUFFIX, ExportConfig
from zerosight.files import cache_folder, packaged, sha256
from zerosight.models.catalog import find_model, shipped_models
from zerosight.predict.anomalies import load
from zerosight.runtimes.load import is_exported

if TYPE_CHECKING:
    from zerosight.predict.anomalies import Predictor

NAMES: dict[GraphFormat, str] = {"onnx": "ONNX Runtime", "openvino": "OpenVINO"}
PACKAGES: dict[GraphFormat, tuple[str, ...]] = {
    "onnx": ("onnxruntime", "onnx", "onnxscript"),
    "openvino": ("openvino", "onnx", "onnxscript"),
}
"""What makes and runs a graph; that which starts sooner comes first."""
SHAPING = ("models", "backbones", "export", "preprocess.py")
"""Our code that graphs depend on."""


def load_on(
    runtime: Runtime,
    model: str | Path,
    device: str = "auto",
    batch_size: int = 8,
    precision: Arithmetic = "exact",
    tell: Callable[[str], object] = lambda line: None,
) -> Predictor:
    """Return a model ready to find anomalies, computed by a runtime of choice.

    Args:
        runtime: ``torch``, no graph but one that is given; ``onnx`` or ``openvino``, by a graph that is made
            on first use; ``auto``, such a graph of a shipped model on the CPU where ONNX Runtime or OpenVINO
            is installed, else PyTorch.
        model: A shipped model's name, a folder, or an exported graph, which has a runtime of its own.
        device: As for :func:`zerosight.load`; prepared graphs are for the CPU.
        batch_size: Images per pass.
        precision: As for :func:`zerosight.load`.
        tell: Is told in a line what takes long, or did not work.

    Raises:
        ConfigError: The runtime does not go with the model, the device or the precision.
        ZerosightError: The model is not to be had, or the runtime was named and cannot have it.
    """
    if runtime == "auto":
        chosen = _installed() if _gains(model, device, precision) else None
        if chosen is not None:
            try:
                return _load_prepared(chosen, model, batch_size, precision, tell)
            except (ZerosightError, OSError) as error:
                tell(f"computes with PyTorch, as no graph could be made ({error})")
    if runtime == "auto" or runtime == "torch":
        return load(model, device, batch_size, precision)
    if is_exported(model):
        raise ConfigError(f"--runtime: {model} is a graph and has its own; leave the runtime out")
    if device not in ("auto", "cpu"):
        raise ConfigError(f"--runtime {runtime}: computes on the cpu; leave --device {device} out")
    return _load_prepared(runtime, model, batch_size, precision, tell)


def prepared_graph(form: GraphFormat, model: str | Path, tell: Callable[[str], object]) -> Path:
    """Return the file of a model's graph, made and checked where there is none; older ones make room.

    Raises:
        WeightsError: There is no such model.
        ExportError: The graph does not agree with the model.
        MissingExtraError: A package is not installed; the message names the command.
        OutputError: The cache cannot be written.
    """
    folder = find_model(model)
    key = _key(folder)
    place = cache_folder("graphs") / f"{folder.name}-{form}"
    path = place / key / f"{folder.name}{SUFFIX[form]}"
    if path.is_file():
        return path
    from zerosight.export.run import export_model

    tell(f"prepares {folder.name} for {NAMES[form]}, once: half a minute (--runtime torch does without)")
    export_model(ExportConfig(model=str(model), out=path, format=form))
    for other in place.iterdir():
        if other.name != key:
            shutil.rmtree(other, ignore_errors=True)
    return path


def _load_prepared(
    form: GraphFormat,
    model: str | Path,
    batch_size: int,
    precision: Arithmetic,
    tell: Callable[[str], object],
) -> Predictor:
    """Return a predictor of a prepared graph; one that is damaged is made again."""
    path = prepared_graph(form, model, tell)
    try:
        return load(path, "cpu", batch_size, precision)
    except WeightsError:
        with suppress(OSError):
            shutil.rmtree(path.parent)
        return load(prepared_graph(form, model, tell), "cpu", batch_size, precision)


def _installed() -> GraphFormat | None:
    """Return the first of the runtimes whose packages are there."""
    return next((form for form, names in PACKAGES.items() if all(map(find_spec, names))), None)


def _gains(model: str | Path, device: str, precision: Arithmetic) -> bool:
    """Return whether a graph is what a user expects who named no runtime."""
    on_cpu = device == "cpu" or (device == "auto" and not _has_card())
    return str(model) in shipped_models() and precision == "exact" and on_cpu


def _has_card() -> bool:
    """Return whether a GPU may be there, without PyTorch, which would know."""
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()


def _key(folder: Path) -> str:
    """Return what changes with a model, and with the code that makes a graph of it, in 16 hex digits."""
    places = [packaged(*name.split("/")) for name in SHAPING]
    code = (file for place in places for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place]))
    digest = hashlib.sha256()
    for file in (*sorted(file for file in folder.iterdir() if file.is_file()), *code):
        digest.update(f"{file.name} {sha256(file)}\n".encode())
    return digest.hexdigest()[:16]
