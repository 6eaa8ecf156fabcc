"""Exported graphs in OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from zerosight.choices import Arithmetic
from zerosight.errors import ConfigError, WeightsError, one_line
from zerosight.preprocess import Preprocess
from zerosight.runtimes.facts import MAP, SCORE, GraphFacts
from zerosight.runtimes.packages import require
from zerosight.runtimes.soundness import Port, check_ports, try_out

SECTION = "zerosight"
_opening = threading.Lock()


def open_core() -> Any:
    """Return OpenVINO's core, one for the whole process, kept to its end.

    A core gives its thread a stack for signals and puts the one before back when it goes. If the first of two
    goes first, the second puts back what the first has freed, and the next signal ends the process.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    with _opening:
        return _core()


@cache
def _core() -> Any:
    return require("openvino", "openvino").Core()


class OpenVinoScorer:
    """Runs an ``.xml`` file and the ``.bin`` file beside it.

    Args:
        path: A file made by ``zerosight export --format openvino``.
        device: ``cpu``, which is also what ``auto`` takes, or another device of OpenVINO such as ``gpu`` for
            Intel graphics.
        threads: Threads; 0 takes one per core.
        precision: ``exact`` is fp32; ``fast`` is what the device is fastest in, which is bf16 on a processor
            that has it; scores then differ by a few hundredths.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        WeightsError: The file is missing, damaged, cannot be run, or was not made by zerosight.
        ConfigError: OpenVINO cannot use the device.
    """

    def __init__(
        self, path: Path, device: str = "cpu", threads: int = 0, precision: Arithmetic = "exact"
    ) -> None:
        self._opened = (path, device, threads, precision)
        device = "cpu" if device == "auto" else device
        core = open_core()
        if device.upper() not in core.available_devices:
            known = ", ".join(name.lower() for name in core.available_devices)
            raise ConfigError(f"device: OpenVINO here runs on {known}, got '{device}'")
        for file in (path, path.with_suffix(".bin")):
            if not file.is_file():
                raise WeightsError(f"{file}: no such file")
        try:
            model = core.read_model(str(path))
        except RuntimeError as error:
            reason = one_line(str(error)[-160:])
            raise WeightsError(f"{path}: is damaged or not an OpenVINO file ({reason})") from None
        self.facts = GraphFacts.from_properties(_properties(model), str(path))
        hints: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads} if threads else {}
        if precision == "exact":
            hints["INFERENCE_PRECISION_HINT"] = "f32"
        check_ports(_ports(model.inputs), _ports(model.outputs), self.facts, str(path))
        try:
            self.compiled = core.compile_model(model, device.upper(), hints)
        except RuntimeError as error:
            raise WeightsError(f"{path}: cannot be compiled ({one_line(str(error), 160)})") from None
        try_out(self.score, self.facts.preprocess.size, str(path))

    def __reduce__(self) -> tuple[type[OpenVinoScorer], tuple[Path, str, int, Arithmetic]]:
        return OpenVinoScorer, self._opened  # another process opens the file anew

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


def _ports(ports: Sequence[Any]) -> list[Port]:
    """Return inputs or outputs as OpenVINO describes them; one without a name has an empty one."""
    types = {"u8": "uint8", "f32": "float32"}
    found = []
    for port in ports:
        shape = port.get_partial_shape()
        axes = () if shape.rank.is_dynamic else tuple(shape)
        lengths = tuple(None if length.is_dynamic else length.get_length() for length in axes)
        kind = port.get_element_type().get_type_name()
        for name in port.get_names() or [""]:
            found.append(Port(name, types.get(kind, kind), lengths))
    return found


def _properties(model: Any) -> dict[str, str]:
    """Return the texts that zerosight stored in a graph, if any."""
    if not model.has_rt_info([SECTION]):
        return {}
    return {key: value.astype(str) for key, value in model.get_rt_info([SECTION]).astype(dict).items()}
