"""What is saved by stopping at the layer that is read: time, beside counted operations."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.backbones.mllm.model import Mllm
from zerosight.benchmark.radz.plain import (
    headless_pass,
    image_rows,
    operations,
    random_pixels,
    stopped_pass,
    whole_pass,
)
from zerosight.benchmark.radz.workloads import Workload
from zerosight.benchmark.timing import in_turn, median_ratio

Pass = Callable[[Mllm, Float[Tensor, "batch length width"]], Float[Tensor, "batch length width"]]
WHOLE, HEADLESS, STOPPED = "all layers and language head", "all layers", "up to the read layer"


@dataclass(frozen=True, slots=True)
class DepthRow:
    """One way through the decoder, on the same input; the projector and the tower are left out.

    Attributes:
        name: Of the way.
        layers: That run.
        gigaflops: Of its matrix products per image, counted.
        seconds: Median per image.
        expected: Share of the whole pass's operations that it saves.
        measured: Share of the whole pass's time that it saves, median of the rounds.
    """

    name: str
    layers: int
    gigaflops: float
    seconds: float
    expected: float
    measured: float


@dataclass(frozen=True, slots=True)
class DepthResult:
    """The three ways.

    Attributes:
        rows: The whole pass first, the stopped one last.
        length: Tokens per image in the decoder.
        batch: Images per pass.
        max_difference: Largest difference of the read layer's states between the first and the last.
    """

    rows: list[DepthRow]
    length: int
    batch: int
    max_difference: float


@torch.inference_mode()
def measure_depth(mllm: Mllm, workload: Workload) -> DepthResult:
    """Return times and counted operations of the decoder, whole and stopped."""
    batch = max(workload.batches)
    rows = image_rows(mllm, mllm.see(torch.from_numpy(random_pixels(mllm, batch))))
    ways: dict[str, Pass] = {WHOLE: whole_pass, HEADLESS: headless_pass, STOPPED: stopped_pass}
    work = {name: partial(run, mllm, rows) for name, run in ways.items()}
    flops = {name: operations(run) for name, run in work.items()}
    times = in_turn(work, workload.rounds)
    found = [
        DepthRow(
            name=name,
            layers=mllm.layers if name == STOPPED else mllm.decoder.config.num_hidden_layers,
            gigaflops=flops[name] / batch / 1e9,
            seconds=statistics.median(times[name]) / batch,
            expected=1 - flops[name] / flops[WHOLE],
            measured=1 - median_ratio(times[name], times[WHOLE]),
        )
        for name in ways
    ]
    difference = float((whole_pass(mllm, rows) - stopped_pass(mllm, rows)).abs().max())
    return DepthResult(found, rows.shape[1], batch, difference)
