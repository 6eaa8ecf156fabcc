"""What a Ray cluster adds to the time of an image, and a second model takes from it; how both grow."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import zerosight
from zerosight.benchmark.memory import forget_peak, resident
from zerosight.benchmark.vip2clip.files import photographs
from zerosight.benchmark.vip2clip.workloads import WORKLOADS
from zerosight.data.ahead import give_back_free_memory
from zerosight.data.find import find_images
from zerosight.errors import ConfigError
from zerosight.guarded.json import parse_json
from zerosight.journal import ResumePolicy
from zerosight.models.vip2clip.folder import save_model
from zerosight.report.parquet import PARTS
from zerosight.scale.blocks import BlockFolder
from zerosight.scale.cluster import connected, facts_there, plan
from zerosight.scale.run import Engine, run, sizes
from zerosight.scale.work import AnomalyJob, Job, Opened

RANDOM = "random:tiny"
"""A model that is made for the purpose: a miniature with random weights, which takes hardly any time."""


@dataclass(frozen=True, slots=True)
class ScaleRow:
    """One way of going through the same files.

    Attributes:
        way: ``local``, or ``ray`` with the number of its models.
        images: So many.
        first_seconds: From the start, with the model loaded in the plain loop and not yet in the cluster's
            processes, to the first results.
        rate: Images per second from then on.
        loaded_mb: Resident memory of a process that has loaded the model, 10⁶ bytes, the largest; like all
            that follow None where it does not exist, or the system does not tell (it is Linux that does).
        model_mb: The most that a process with the model took.
        driver_mb: The most that the process took that reads the list and writes the table.
        table_mb: Of the table, 10⁶ bytes.
        resume_seconds: To find in the table that nothing is left to do.
    """

    way: str
    images: int
    first_seconds: float
    rate: float
    loaded_mb: float | None
    model_mb: float | None
    driver_mb: float | None = None
    table_mb: float | None = None
    resume_seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A job whose processes note what they take.

    Attributes:
        job: What is asked of every image.
        notes: Folder of the notes, the same for all processes; it has to be there.
    """

    job: Job
    notes: str

    def open(self) -> Opened:
        """Load the model."""
        opened = self.job.open()
        loaded = resident("VmRSS")

        def stream(images: Any) -> Iterator[Any]:
            yield from opened.stream(images)
            note = json.dumps([loaded, resident("VmHWM")])
            Path(self.notes, f"{os.getpid()}.json").write_text(note, encoding="utf-8")

        return replace(opened, stream=stream)


def benchmark_scale(
    model: str,
    address: str,
    images: Sequence[int] = (1000,),
    workers: Sequence[int] = (1, 2),
    size: tuple[int, int] = (640, 480),
    tell: Callable[[str], None] = lambda what: None,
) -> list[ScaleRow]:
    """Return a row for the plain loop and one for each number of models in a cluster, by number of images.

    Args:
        model: Of anomalies; ``random:tiny`` is one that takes hardly any time, made for the purpose.
        address: As of ``zerosight predict --on``.
        images: Numbers of JPEG files that are made for it; more than travel together for each model.
        workers: Numbers of models.
        size: Width and height of the files.
        tell: Told what is measured.

    Raises:
        ConfigError: There are too few images to see a rate.
        ClusterError: The cluster cannot be reached, or cannot do the work.
    """
    together, _ = sizes(8, False)
    least = 2 * together * max(workers)
    if min(images) < least:
        raise ConfigError(f"--images: at least {least}, to see a rate, got {min(images)}")
    rows = []
    with tempfile.TemporaryDirectory() as name, connected(address) as ray:
        folder = Path(name)
        if model == RANDOM:
            model = str(folder / "tiny")
            save_model(*WORKLOADS["tiny"].build(), folder / "tiny")
        for count in images:
            files = folder / f"images-{count}"
            files.mkdir()
            photographs(files, count, size)
            tell(f"the plain loop over {count} images")
            rows.append(_local(model, files))
            for number in workers:
                tell(f"Ray with {number} worker{'s' if number > 1 else ''} over {count} images")
                rows.append(_on_ray(ray, AnomalyJob(model), number, files))
    return rows


def _local(model: str, files: Path) -> ScaleRow:
    """Return the row of the plain loop."""
    predictor = zerosight.load(model)
    loaded = resident("VmRSS")
    list(predictor.predict([next(find_images([files]))] * predictor.batch_size))
    forget_peak()
    times = [(time.perf_counter(), 0)]
    for _ in predictor.predict(find_images([files])):
        _note(times, 1)
    return _row("local", times, loaded, resident("VmHWM"))


def _on_ray(ray: ModuleType, job: Job, workers: int, files: Path) -> ScaleRow:
    """Return the row of a cluster with so many models."""
    together, rows_of_block = sizes(8, False)
    facts = facts_there(ray, job, 0.0)
    give_back_free_memory()
    with tempfile.TemporaryDirectory(dir=files.parent) as name:
        out, notes = Path(name) / "results", Path(name) / "notes"
        notes.mkdir()
        engine = Engine(ray, _Watched(job, str(notes)), facts, plan(ray, "cpu", workers, None))

        def once(advance: Callable[[int], None], resume: bool = False) -> None:
            with BlockFolder(ResumePolicy(out, resume=resume), facts.settings, rows_of_block) as folder:
                run(engine, find_images([files]), folder, together, advance)

        forget_peak()
        times = [(time.perf_counter(), 0)]
        once(partial(_note, times))
        peak = resident("VmHWM")
        noted = [parse_json(note.read_text(encoding="utf-8")) for note in notes.iterdir()]
        begun = time.perf_counter()
        once(lambda done: None, resume=True)
        resumed = time.perf_counter() - begun
        table = sum(part.stat().st_size for part in (out / PARTS).iterdir()) / 1e6
    loaded, largest = (max(numbers) if None not in numbers else None for numbers in zip(*noted, strict=True))
    return _row(f"ray {workers}", times, loaded, largest, peak, table, resumed)


def _note(times: list[tuple[float, int]], done: int) -> None:
    """Keep when so many images were done, if any were."""
    if done:
        times.append((time.perf_counter(), done))


def _row(way: str, times: list[tuple[float, int]], *rest: float | None) -> ScaleRow:
    """Return the row of a run that began at the first time."""
    begun, first, last = times[0][0], times[1], times[-1]
    images = sum(done for _, done in times)
    rate = (images - first[1]) / (last[0] - first[0])
    return ScaleRow(way, images, first[0] - begun, rate, *rest)
