"""Exported graphs in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from zerosight.errors import ConfigError, WeightsError, one_line
from zerosight.preprocess import Preprocess
from zerosight.runtimes.facts import INPUT, MAP, SCORE, GraphFacts
from zerosight.runtimes.packages import require
from zerosight.runtimes.soundness import Port, check_ports, try_out

PREFIX = "zerosight."
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxScorer:
    """Runs an ``.onnx`` file.

    Args:
        path: A file made by ``zerosight export --format onnx``.
        device: ``cpu``, ``cuda`` or ``cuda:1``; the latter two need the package onnxruntime-gpu. ``auto``
            is a CUDA card where that package is there, else the CPU.
        threads: Threads within an operation; 0 takes one per core.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        WeightsError: The file is missing, damaged, cannot be run, or was not made by zerosight.
        ConfigError: ONNX Runtime cannot use the device.
    """

    def __init__(self, path: Path, device: str = "cpu", threads: int = 0) -> None:
        self._opened = (path, device, threads)
        runtime = require("onnxruntime", "onnx")
        if not path.is_file():
            raise WeightsError(f"{path}: no such file")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        # Threads that wait for each other leave the processor to those that read and draw.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        provider = _provider(device, runtime.get_available_providers())
        try:
            self.session = runtime.InferenceSession(str(path), options, providers=[provider])
        except Exception as error:  # its errors have no common base but this
            raise WeightsError(
                f"{path}: is damaged or not an ONNX file ({one_line(str(error), 160)})"
            ) from None
        properties = self.session.get_modelmeta().custom_metadata_map
        self.facts = GraphFacts.from_properties(
            {key.removeprefix(PREFIX): value for key, value in properties.items() if key.startswith(PREFIX)},
            str(path),
        )
        check_ports(
            [_port(port) for port in self.session.get_inputs()],
            [_port(port) for port in self.session.get_outputs()],
            self.facts,
            str(path),
        )
        try_out(self.score, self.facts.preprocess.size, str(path))

    def __reduce__(self) -> tuple[type[OnnxScorer], tuple[Path, str, int]]:
        return OnnxScorer, self._opened  # another process opens the file anew

    @property
    def preprocess(self) -> Preprocess:
        """The graph's input size."""
        return self.facts.preprocess

    def score(
        self, pixels: UInt8[np.ndarray, "batch size size 3"]
    ) -> tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]:
        """Return the anomaly score and the blurred map of every image, both in [0, 1]."""
        score, anomaly_map = self.session.run([SCORE, MAP], {INPUT: pixels})
        return score, anomaly_map


def _port(port: Any) -> Port:
    """Return one input or output as ONNX Runtime describes it."""
    kind = port.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(length if isinstance(length, int) else None for length in port.shape)
    return Port(port.name, "float32" if kind == "float" else kind, shape)


def _provider(device: str, available: list[str]) -> str | tuple[str, dict[str, str]]:
    """Return ONNX Runtime's word for a device."""
    if device == "auto":
        device = "cuda" if PROVIDERS["cuda"] in available else "cpu"
    kind, _, index = device.partition(":")
    name = PROVIDERS.get(kind)
    if name not in available:
        known = ", ".join(word for word, provider in PROVIDERS.items() if provider in available)
        raise ConfigError(
            f"device: ONNX Runtime here runs on {known}, got '{device}'; cuda needs onnxruntime-gpu"
        )
    return (name, {"device_id": index}) if index else name
