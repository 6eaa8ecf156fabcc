"""Exported graphs in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from zerosight.errors import ConfigError, WeightsError
from zerosight.preprocess import Preprocess
from zerosight.runtimes.facts import INPUT, MAP, SCORE, GraphFacts, require

PREFIX = "zerosight."
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxScorer:
    """Runs an ``.onnx`` file.

    Args:
        path: A file made by ``zerosight export --format onnx``.
        device: ``cpu``, ``cuda`` or ``cuda:1``; the latter two need the package onnxruntime-gpu.
        threads: Threads within an operation; 0 takes one per core.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        WeightsError: The file is missing, damaged, or was not made by zerosight.
        ConfigError: ONNX Runtime cannot use the device.
    """

    def __init__(self, path: Path, device: str = "cpu", threads: int = 0) -> None:
        runtime = require("onnxruntime", "onnx")
        if not path.is_file():
            raise WeightsError(f"{path}: no such file")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        provider = _provider(device, runtime.get_available_providers())
        try:
            self.session = runtime.InferenceSession(str(path), options, providers=[provider])
        except Exception as error:  # its errors have no common base but this
            reason = " ".join(str(error).split())[:160]
            raise WeightsError(f"{path}: is damaged or not an ONNX file ({reason})") from None
        properties = self.session.get_modelmeta().custom_metadata_map
        self.facts = GraphFacts.from_properties(
            {key.removeprefix(PREFIX): value for key, value in properties.items() if key.startswith(PREFIX)},
            str(path),
        )

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


def _provider(device: str, available: list[str]) -> str | tuple[str, dict[str, str]]:
    """Return ONNX Runtime's word for a device."""
    kind, _, index = device.partition(":")
    name = PROVIDERS.get(kind)
    if name not in available:
        known = ", ".join(word for word, provider in PROVIDERS.items() if provider in available)
        raise ConfigError(
            f"device: ONNX Runtime here runs on {known}, got '{device}'; cuda needs onnxruntime-gpu"
        )
    return (name, {"device_id": index}) if index else name
