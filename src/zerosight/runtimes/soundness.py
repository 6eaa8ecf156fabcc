"""What a graph must be before it is believed: our input, our outputs, and numbers between 0 and 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from zerosight.errors import WeightsError, ZerosightError, one_line
from zerosight.runtimes.facts import INPUT, MAP, SCORE, GraphFacts

Found = tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]
_ROUNDING = 1e-4  # how far arithmetic in half precision may take a probability out of [0, 1]


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a graph.

    Attributes:
        name: What the graph calls it.
        dtype: The runtime's word for its type.
        shape: Lengths of its axes; None where a length is free.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


def check_ports(inputs: Sequence[Port], outputs: Sequence[Port], facts: GraphFacts, source: str) -> None:
    """Refuse a graph whose inputs and outputs are not those of an exported model.

    Raises:
        WeightsError: As above; the message names what differs.
    """
    side = facts.preprocess.size
    _check_port(inputs, Port(INPUT, "uint8", (None, side, side, 3)), source)
    if len(inputs) > 1:
        odd = next(port.name for port in inputs if port.name != INPUT)
        raise WeightsError(
            f"{source}: wants an input '{one_line(odd, 80)}' beside '{INPUT}'; export it again"
        )
    _check_port(outputs, Port(SCORE, "float32", (None,)), source)
    _check_port(outputs, Port(MAP, "float32", (None, side, side)), source)


def _check_port(ports: Sequence[Port], wanted: Port, source: str) -> None:
    """Refuse a graph that lacks a port, or has it in another type or shape."""
    port = next((port for port in ports if port.name == wanted.name), None)
    if port is None:
        names = one_line(", ".join(port.name for port in ports), 120)
        raise WeightsError(f"{source}: has no '{wanted.name}' among {names}; export it again")
    fits = len(port.shape) == len(wanted.shape) and all(
        want in (None, got) or got is None for want, got in zip(wanted.shape, port.shape, strict=True)
    )
    if port.dtype != wanted.dtype or not fits:
        raise WeightsError(
            f"{source}: '{port.name}' is {port.dtype} {_axes(port)}, not {wanted.dtype} {_axes(wanted)} "
            "as its card says; export it again"
        )


def _axes(port: Port) -> str:
    return one_line(f"({' × '.join('n' if length is None else str(length) for length in port.shape)})", 80)


def try_out(score: Callable[[UInt8[np.ndarray, "batch size size 3"]], Found], side: int, source: str) -> None:
    """Run a graph once, on a grey image, so that one that cannot run is refused as it is loaded.

    Raises:
        WeightsError: It fails, or gives something else than one score and one map in [0, 1].
    """
    try:
        found = score(np.full((1, side, side, 3), 128, np.uint8))
    except Exception as error:  # the runtimes' errors have no common base but this
        raise WeightsError(
            f"{source}: cannot be run ({one_line(str(error), 160)}); export it again"
        ) from None
    try:
        check_scores(*found, batch=1, side=side)
    except ZerosightError as error:
        raise WeightsError(f"{source}: {error}") from None


def check_scores(
    scores: Float32[np.ndarray, "..."], maps: Float32[np.ndarray, "..."], batch: int, side: int
) -> Found:
    """Return scores and maps after checking that they are what they should be.

    Args:
        scores: What a model says of a batch of images.
        maps: Likewise, per pixel of the model's input.
        batch: Number of images.
        side: Height and width of the input, in pixels.

    Raises:
        WeightsError: They are of another shape, or not numbers in [0, 1].
    """
    if scores.shape != (batch,) or maps.shape != (batch, side, side):
        raise WeightsError(f"the model gives scores {scores.shape} and maps {maps.shape} for {batch} images")
    for what, values in (("a score", scores), ("a map", maps)):
        low, high = float(values.min()), float(values.max())
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # also where either is NaN
            odd = low if low < -_ROUNDING else high
            raise WeightsError(
                f"the model gives {what} of {odd:.4g}, not in [0, 1]: its weights are damaged; get them again"
            )
    return scores.clip(0, 1), maps.clip(0, 1)
