"""From what a rehearsal measured per image to what the real benchmarks cost, here and on a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zerosight.data.layouts.info import DatasetInfo
from zerosight.report.table import Table

A100_FP32, A100_BF16 = 19.5e12, 312e12
"""Operations per second that the maker states for an A100: fp32 without TF32, and dense bf16 products."""
SHARE_FP32, SHARE_BF16 = 0.6, 0.3
"""Shares of them that transformers reach on batches; assumed."""
READ_THREADS, DISK = 4, 1e9
"""Threads that read images in an evaluation, and bytes per second from a local SSD; assumed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rehearsal measured; seconds are per image, megabytes 10⁶ bytes.

    Attributes:
        size: Input size in pixels.
        epochs: Of a training run.
        batch: Images of the fullest batch.
        ready_seconds: Per model: building, checking, choosing thresholds, saving.
        first_seconds: In the first epoch, image tower and writing of the cache included.
        cached_seconds: In each later epoch.
        evaluated_seconds: From file to scores and pixel counts.
        read_seconds: Of reading and resizing one file.
        metrics_seconds: Of the pixel counts of one map.
        weights_mb: Of both towers.
        peak_mb: Of the process; None where the system does not tell.
        features_mb: Of the cache, per image.
        run_mb: Of a run folder with its checkpoints.
        tower_gflop: 10⁹ operations of the image tower.
        rest_gflop: Of all else.
    """

    size: int
    epochs: int
    batch: int
    ready_seconds: float
    first_seconds: float
    cached_seconds: float
    evaluated_seconds: float
    read_seconds: float
    metrics_seconds: float
    weights_mb: float
    peak_mb: float | None
    features_mb: float
    run_mb: float
    tower_gflop: float
    rest_gflop: float


@dataclass(frozen=True, slots=True)
class Line:
    """One number of a prediction.

    Attributes:
        where: ``here``, or which GPU.
        what: What is predicted.
        value: Seconds, or megabytes.
        arithmetic: How it comes about.
        unit: ``s`` or ``MB``.
    """

    where: str
    what: str
    value: float
    arithmetic: str
    unit: str = "s"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the real benchmarks cost.

    Attributes:
        training_images: Of both auxiliary sets.
        test_images: Of all 15 sets, each evaluated once; the most that is reported.
        lines: The numbers.
    """

    training_images: int
    test_images: int
    lines: tuple[Line, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def table(self) -> Table:
        """Return the numbers with their arithmetic."""
        rows = tuple((line.where, line.what, in_print(line), line.arithmetic) for line in self.lines)
        return Table(("where", "what", "predicted", "arithmetic"), rows, "the 15 real sets", words=(0, 1, 3))


def predict_cost(
    measured: Measured, infos: Mapping[str, DatasetInfo], auxiliary: Sequence[str]
) -> Prediction:
    """Return what the real benchmarks cost.

    Args:
        measured: By a rehearsal.
        infos: The data sets with the numbers that the field reports.
        auxiliary: Which of them are trained on.
    """
    images = {name: _images(info) for name, info in infos.items()}
    training, tests = sum(images[name] for name in auxiliary), sum(images.values())
    lines = (*_here(measured, training, tests, len(auxiliary)), *_gpu(measured, training, tests))
    return Prediction(training, tests, lines)


def in_print(line: Line) -> str:
    """Return a line's value in words.

    >>> in_print(Line("here", "training", 5400.0, "")), in_print(Line("here", "disk", 32500.0, "", "MB"))
    ('1.5 h', '32.5 GB')
    """
    if line.unit == "MB":
        return f"{line.value / 1e3:.1f} GB" if line.value >= 1000 else f"{line.value:.0f} MB"
    if line.value >= 3600:
        return f"{line.value / 3600:.1f} h"
    return f"{line.value / 60:.1f} min" if line.value >= 60 else f"{line.value:.2g} s"


def _images(info: DatasetInfo) -> int:
    assert info.expected is not None  # every benchmark has reported counts
    return info.expected.normal[1] + info.expected.anomalous[1]


def _here(m: Measured, training: int, tests: int, models: int) -> Iterator[Line]:
    later = m.epochs - 1
    ready = models * m.ready_seconds
    learn = ready + training * (m.first_seconds + later * m.cached_seconds)
    judge = tests * m.evaluated_seconds
    yield Line(
        "here",
        "training",
        learn,
        f"{models} × {m.ready_seconds:.1f} s + {training} × ({m.first_seconds:.3g} s "
        f"+ {later} × {m.cached_seconds:.3g} s)",
    )
    yield Line("here", "evaluation", judge, f"{tests} × {m.evaluated_seconds:.3g} s")
    yield Line("here", "together", learn + judge, "training + evaluation")
    disk = training * m.features_mb + models * m.run_mb
    yield Line(
        "here", "disk", disk, f"{training} × {m.features_mb:.3g} MB + {models} × {m.run_mb:.0f} MB", "MB"
    )
    if m.peak_mb is not None:
        yield Line("here", "memory", m.peak_mb, f"measured, batches of {m.batch}", "MB")


def _gpu(m: Measured, training: int, tests: int) -> Iterator[Line]:
    gflop, later = m.tower_gflop + m.rest_gflop, m.epochs - 1
    cached = m.features_mb * 1e6 / DISK
    for name, rate, share in (
        ("A100, fp32", A100_FP32, SHARE_FP32),
        ("A100, bf16", A100_BF16, SHARE_BF16),
    ):
        image = gflop * 1e9 / (rate * share)
        sum_of_image = f"{gflop:.0f} GFLOP / ({rate / 1e12:g} TFLOP/s × {share:g})"
        yield Line(name, "one image", image, sum_of_image)
        read = m.read_seconds / READ_THREADS
        judge = tests * (max(image, read) + m.metrics_seconds)
        if name.endswith("fp32"):  # in which a model is trained as published
            learn = training * (max(image, m.read_seconds) + later * cached)
            yield Line(
                name,
                "training",
                learn,
                f"{training} × (larger of {image:.2g} s and reading's {m.read_seconds:.2g} s + {later} × "
                f"{m.features_mb:.3g} MB at {DISK / 1e9:g} GB/s)",
            )
        yield Line(
            name,
            "evaluation",
            judge,
            f"{tests} × (larger of {image:.2g} s and {m.read_seconds:.2g} s / {READ_THREADS} threads "
            f"+ {m.metrics_seconds:.2g} s)",
        )
    if m.peak_mb is not None:
        most = f"at most what it took here: {m.weights_mb:.0f} MB of weights and batches of {m.batch}"
        yield Line("A100", "GPU memory", m.peak_mb, most, "MB")
