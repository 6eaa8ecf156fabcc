"""From an exported file to a scorer."""

from __future__ import annotations

from pathlib import Path

from zerosight.choices import Arithmetic
from zerosight.errors import ConfigError
from zerosight.files import sha256
from zerosight.runtimes.onnx import OnnxScorer
from zerosight.runtimes.openvino import OpenVinoScorer

SUFFIXES: dict[str, type[OnnxScorer] | type[OpenVinoScorer]] = {
    ".onnx": OnnxScorer,
    ".xml": OpenVinoScorer,
}


def is_exported(model: str | Path) -> bool:
    """Return whether the name of a model is that of an exported graph.

    >>> is_exported("parts.onnx"), is_exported("vip2clip-lite")
    (True, False)
    """
    return Path(model).suffix.lower() in SUFFIXES


def load_graph(
    path: str | Path, device: str = "cpu", threads: int = 0, precision: Arithmetic = "exact"
) -> OnnxScorer | OpenVinoScorer:
    """Return an exported graph ready to score.

    Args:
        path: An ``.onnx`` or ``.xml`` file made by ``zerosight export``.
        device: See the two scorers.
        threads: Threads; 0 takes one per core.
        precision: ``fast`` lets OpenVINO compute in bf16; ONNX Runtime knows only what was exported.

    Raises:
        ConfigError: The runtime has no such device or precision.
        ZerosightError: As the two scorers do.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() == ".xml":
        return OpenVinoScorer(path, device, threads, precision)
    if precision == "fast":
        raise ConfigError(
            "precision: ONNX Runtime computes a graph as it was exported; "
            "for speed export it with --format openvino, or --precision int8"
        )
    return OnnxScorer(path, device, threads)


def graph_hash(path: str | Path) -> str:
    """Return what tells one export of a model from another: the runtime and a hash of the graph's files.

    Args:
        path: As for :func:`load_graph`; the weights beside an ``.xml`` count.
    """
    path = Path(path).expanduser()
    files = (path, path.with_suffix(".bin")) if path.suffix.lower() == ".xml" else (path,)
    return f"{path.suffix.lower()[1:]} {' '.join(sha256(file)[:16] for file in files if file.is_file())}"
