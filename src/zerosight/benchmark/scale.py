"""What a Ray cluster adds to the time of an image, and a second model takes from it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import zerosight
from zerosight.benchmark.vip2clip.files import photographs
from zerosight.errors import ConfigError
from zerosight.journal import ResumePolicy
from zerosight.scale.blocks import BlockFolder
from zerosight.scale.cluster import connected, facts_there, plan
from zerosight.scale.run import Engine, run, sizes
from zerosight.scale.work import AnomalyJob

SIZE = (640, 480)


@dataclass(frozen=True, slots=True)
class ScaleRow:
    """One way of going through the same files.

    Attributes:
        way: ``local``, or ``ray`` with the number of its models.
        images: So many.
        first_seconds: From the start, with the model loaded in the plain loop and not yet in the cluster's
            processes, to the first results.
        rate: Images per second from then on.
    """

    way: str
    images: int
    first_seconds: float
    rate: float

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def benchmark_scale(
    model: str,
    address: str,
    images: int,
    workers: Sequence[int] = (1, 2),
    tell: Callable[[str], None] = lambda what: None,
) -> list[ScaleRow]:
    """Return a row for the plain loop and one for each number of models in a cluster, in this order.

    Args:
        model: Of anomalies.
        address: As of ``zerosight predict --on``.
        images: JPEG files that are made for it; more than travel together for each model.
        workers: Numbers of models.
        tell: Told what is measured.

    Raises:
        ConfigError: There are too few images to see a rate.
        ClusterError: The cluster cannot be reached, or cannot do the work.
    """
    together, rows_of_block = sizes(8, False)
    if images < 2 * together * max(workers):
        raise ConfigError(f"--images: at least {2 * together * max(workers)}, to see a rate, got {images}")
    with tempfile.TemporaryDirectory() as folder, connected(address) as ray:
        paths = photographs(Path(folder), images, SIZE)
        tell("the plain loop")
        predictor = zerosight.load(model)
        list(predictor.predict(paths[: predictor.batch_size]))
        rows = [_row("local", (1 for _ in predictor.predict(paths)))]
        del predictor
        job = AnomalyJob(model)
        facts = facts_there(ray, job, 0.0)
        for count in workers:
            tell(f"Ray with {count} worker{'s' if count > 1 else ''}")
            engine = Engine(ray, job, facts, plan(ray, "cpu", count, None))
            times = [(time.perf_counter(), 0)]
            policy = ResumePolicy(Path(folder) / f"results-{count}")
            with BlockFolder(policy, facts.settings, rows_of_block) as out:
                run(engine, paths, out, together, partial(_note, times))
            rows.append(_rate(f"ray {count}", times))
    return rows


def _row(way: str, found: Iterator[int]) -> ScaleRow:
    """Return the row of results that come one by one."""
    times = [(time.perf_counter(), 0)]
    for done in found:
        _note(times, done)
    return _rate(way, times)


def _note(times: list[tuple[float, int]], done: int) -> None:
    """Keep when so many images were done, if any were."""
    if done:
        times.append((time.perf_counter(), done))


def _rate(way: str, times: list[tuple[float, int]]) -> ScaleRow:
    """Return the row of a run that began at the first time."""
    begun, first, last = times[0][0], times[1], times[-1]
    images = sum(done for _, done in times)
    return ScaleRow(way, images, first[0] - begun, (images - first[1]) / (last[0] - first[0]))
