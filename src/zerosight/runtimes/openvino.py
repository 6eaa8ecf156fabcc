"""Exported graphs in OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from zerosight.errors import ConfigError, WeightsError
from zerosight.preprocess import Preprocess
from zerosight.runtimes.facts import MAP, SCORE, GraphFacts, require
from zerosight.types import Arithmetic

SECTION = "zerosight"


class OpenVinoScorer:
    """Runs an ``.xml`` file and the ``.bin`` file beside it.

    Args:
        path: A file made by ``zerosight export --format openvino``.
        device: ``cpu``, or another device of OpenVINO such as ``gpu`` for Intel graphics.
        threads: Threads; 0 takes one per core.
        precision: ``exact`` is fp32; ``fast`` is what the device is fastest in, which is bf16 on a processor
            that has it; scores then differ by a few hundredths.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        WeightsError: The file is missing, damaged, or was not made by zerosight.
        ConfigError: OpenVINO cannot use the device.
    """

    def __init__(
        self, path: Path, device: str = "cpu", threads: int = 0, precision: Arithmetic = "exact"
    ) -> None:
        core = require("openvino", "openvino").Core()
        if device.upper() not in core.available_devices:
            known = ", ".join(name.lower() for name in core.available_devices)
            raise ConfigError(f"device: OpenVINO here runs on {known}, got '{device}'")
        for file in (path, path.with_suffix(".bin")):
            if not file.is_file():
                raise WeightsError(f"{file}: no such file")
        try:
            model = core.read_model(str(path))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-160:]
            raise WeightsError(f"{path}: is damaged or not an OpenVINO file ({reason})") from None
        self.facts = GraphFacts.from_properties(_properties(model), str(path))
        hints: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads} if threads else {}
        if precision == "exact":
            hints["INFERENCE_PRECISION_HINT"] = "f32"
        self.compiled = core.compile_model(model, device.upper(), hints)

    @property
    def preprocess(self) -> Preprocess:
        """The graph's input size."""
        return self.facts.preprocess

    def score(
        self, pixels: UInt8[np.ndarray, "batch size size 3"]
    ) -> tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]:
        """Return the anomaly score and the blurred map of every image, both in [0, 1]."""
        found = self.compiled.create_infer_request().infer([pixels])  # threads must not share a request
        return found[SCORE], found[MAP]


def _properties(model: Any) -> dict[str, str]:
    """Return the texts that zerosight stored in a graph, if any."""
    if not model.has_rt_info([SECTION]):
        return {}
    return {key: value.astype(str) for key, value in model.get_rt_info([SECTION]).astype(dict).items()}
