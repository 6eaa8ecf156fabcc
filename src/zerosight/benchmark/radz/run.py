"""All measurements of LLaVA-RadZ in one run, and whether they reach their aims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from zerosight.benchmark.radz.counts import CountResult, measure_counts, prepare
from zerosight.benchmark.radz.depth import DepthResult, measure_depth
from zerosight.benchmark.radz.inference import SpeedRow, measure_speed
from zerosight.benchmark.radz.training import StepResult, measure_steps
from zerosight.benchmark.radz.workloads import Workload, scoring_model
from zerosight.predict.findings import FindingPredictor

SAME_COST = 0.02
SAVING_SLACK = 0.02
SAME_MEMORY = 1.1


@dataclass(frozen=True, slots=True)
class Aim:
    """Something that should hold, and what was found.

    Attributes:
        name: What should hold.
        wanted: The limit, in words.
        found: The number that decides.
        met: Whether it holds in this run.
    """

    name: str
    wanted: str
    found: float
    met: bool


@dataclass(frozen=True, slots=True)
class RadzBenchmark:
    """What was measured of one model."""

    model: str
    parameters: int
    speed: list[SpeedRow]
    counts: CountResult
    depth: DepthResult
    steps: StepResult

    @property
    def aims(self) -> list[Aim]:
        """The aims, reached or not."""
        return aims(self.counts, self.depth, self.steps)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return asdict(self) | {"aims": [asdict(aim) for aim in self.aims]}


def benchmark_radz(workload: Workload, say: Callable[[str], None] = lambda _: None) -> RadzBenchmark:
    """Return speed, cost by number of findings, what stopping saves, and memory of training steps.

    Args:
        workload: What is measured.
        say: Called with what is being done.

    Raises:
        WeightsError: There is no such model.
    """
    loaded = scoring_model(workload)
    predictor = FindingPredictor(loaded)
    say(f"{workload.model}: from pixels to scores …")
    speed = measure_speed(predictor, prepare(predictor, max(workload.counts[:2])).question, workload)
    say(f"{workload.model}: {', '.join(map(str, workload.counts))} findings …")
    counts = measure_counts(loaded, workload)
    say(f"{workload.model}: stopping at the read layer …")
    depth = measure_depth(loaded.model.mllm, workload)
    parameters = sum(parameter.numel() for parameter in loaded.model.parameters())
    del loaded, predictor
    say(f"{workload.model}: training steps of {workload.pairs} pairs …")
    return RadzBenchmark(workload.model, parameters, speed, counts, depth, measure_steps(workload))


def aims(counts: CountResult, depth: DepthResult, steps: StepResult) -> list[Aim]:
    """Return what should hold and whether it does."""
    farthest = max((row.product_ratio for row in counts.rows), key=lambda ratio: abs(ratio - 1))
    stopped = depth.rows[-1]
    memory = steps.rows[1].memory_ratio
    numbers = ", ".join(str(row.findings) for row in counts.rows)
    small, large = steps.rows[0].batch, steps.rows[1].batch
    return [
        Aim(
            f"an image costs the same for {numbers} findings",
            f"within {SAME_COST:.0%} of 1",
            farthest,
            abs(farthest - 1) <= SAME_COST,
        ),
        Aim(
            "stopping at the read layer saves what it should",
            f"at least {max(stopped.expected - SAVING_SLACK, 0):.1%}: counted, less {SAVING_SLACK:.0%}",
            stopped.measured,
            stopped.measured >= stopped.expected - SAVING_SLACK,
        ),
        Aim(
            f"a batch of {large} with cached gradients takes the memory of a batch of {small}",
            f"at most {SAME_MEMORY:.2f} times",
            memory,
            memory <= SAME_MEMORY,
        ),
    ]
