"""From JPEG files to scores, maps at their own size and regions: what a user waits for."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zerosight.benchmark.memory import peak_memory
from zerosight.benchmark.vip2clip.ways import make_scorer
from zerosight.benchmark.vip2clip.workloads import Workload
from zerosight.predict.anomalies import Predictor, Scorer

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class FilesRow:
    """Throughput of one way of computing.

    Attributes:
        images_per_second: The median of three runs over all files.
        busy: Time in the model over all time: 1 where reading and the rest hide behind it.
        peak_mb: Peak memory above what the loaded model holds.
    """

    name: str
    way: str
    images: int
    width: int
    height: int
    images_per_second: float
    busy: float
    peak_mb: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


class _Watched:
    """A scorer that adds up the time spent in it."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.preprocess, self.seconds = scorer, scorer.preprocess, 0.0

    def score(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start = time.perf_counter()
        found = self.scorer.score(pixels)
        self.seconds += time.perf_counter() - start
        return found


def benchmark_files(
    workload: Workload, way: str, graphs: Path, count: int = 200, size: tuple[int, int] = (640, 480)
) -> FilesRow:
    """Return the throughput of one way of computing.

    Args:
        workload: What is measured.
        way: One of ``WAYS``.
        graphs: Where exported graphs are kept.
        count: Photographs that are made for it.
        size: Their width and height.
    """
    model, card = workload.build()
    watched = _Watched(make_scorer(way, workload, model, graphs))
    predictor = Predictor(watched, card)
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(Path(folder), count, size)
        list(predictor.predict(paths[: predictor.batch_size]))
        seconds, inside = [], []
        with peak_memory() as peak:
            for _ in range(ROUNDS):
                watched.seconds, start = 0.0, time.perf_counter()
                for _ in predictor.predict(paths):
                    pass
                seconds.append(time.perf_counter() - start)
                inside.append(watched.seconds)
    middle = sorted(range(ROUNDS), key=seconds.__getitem__)[ROUNDS // 2]
    busy = inside[middle] / seconds[middle]
    return FilesRow(workload.name, way, count, *size, count / seconds[middle], busy, peak.megabytes)


def photographs(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Write some JPEG files and return their paths."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        paths.append(folder / f"{i:04d}.jpg")
        coarse.resize(size, Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths
