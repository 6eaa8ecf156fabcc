"""Training beside the plain published loop, which runs the frozen tower on every batch of every epoch."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from zerosight.benchmark.memory import peak_memory
from zerosight.benchmark.timing import in_turn
from zerosight.benchmark.vip2clip.plain import plain_loss
from zerosight.benchmark.vip2clip.workloads import Workload, pictures
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.vip2clip.features import FeatureCache, FeatureSource
from zerosight.train.vip2clip.module import batch_losses
from zerosight.train.vip2clip.samples import Batch, Item

EPOCHS = 10
RATE_ICA, RATE_FGP = 1e-3, 1e-5
CacheType = Literal["float16", "float32"]
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """Training of one workload; seconds are per step, the medians of steps taken in turn.

    Attributes:
        first_seconds: A step of the first epoch: tower, writing the cache, prompts and heads.
        cached_seconds: A step of any later epoch.
        speedup: The plain loop's time for ten epochs over ours, by the three medians.
        run_images: Images of two whole runs of ten epochs, one after the other; None if there were none.
        run_plain_seconds: What the plain loop took for its run.
        run_seconds: What ours took, from an empty cache.
        run_speedup: The ratio of the two.
        loss_difference: Largest difference of the two runs' losses at any step.
    """

    name: str
    size: int
    batch: int
    plain_seconds: float
    first_seconds: float
    cached_seconds: float
    speedup: float
    plain_mb: float | None
    first_mb: float | None
    cached_mb: float | None
    run_images: int | None
    run_plain_seconds: float | None
    run_seconds: float | None
    run_speedup: float | None
    loss_difference: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Data:
    """Auxiliary data made up: every second picture has a square on it."""

    pixels: np.ndarray
    masks: np.ndarray

    @classmethod
    def make(cls, model: Vip2Clip, count: int) -> _Data:
        pixels = pictures(count, model.encoder.preprocess)
        masks = np.zeros(pixels.shape[:3], bool)
        quarter = pixels.shape[1] // 4
        masks[1::2, quarter : 2 * quarter, quarter : 2 * quarter] = True
        return cls(np.where(masks[..., None], 255 - pixels, pixels), masks)

    def batch(self, indices: list[int], cache: FeatureCache | None) -> Batch:
        """Return what the product's loader hands a step: features where they are cached, pixels elsewhere."""
        items = []
        for i in indices:
            key = f"{i:064d}"
            features = cache.get(key) if cache else None
            pixels = self.pixels[i] if features is None else None
            items.append(Item(key, features, pixels, self.masks[i], int(self.masks[i].any())))
        return Batch(items)


class _Run:
    """A model in training: the plain loop, or the product's."""

    def __init__(self, model: Vip2Clip, data: _Data, folder: Path | None, dtype: CacheType) -> None:
        self.model = Vip2Clip(model.encoder, model.config)
        self.model.load_state_dict(model.state_dict())
        rates = ((self.model.ica, RATE_ICA), (self.model.fgp, RATE_FGP))
        self.optimiser = torch.optim.Adam([{"params": m.parameters(), "lr": rate} for m, rate in rates])
        self.data = data
        self.folder = folder
        self.dtype = dtype
        self.cache: FeatureCache | None = None
        self.forget()

    def forget(self) -> None:
        """Begin with an empty cache."""
        if self.folder:
            place = Path(tempfile.mkdtemp(dir=self.folder))
            self.cache = FeatureCache(place, self.model.encoder, self.dtype)
            self.source = FeatureSource(self.model.encoder, self.cache)

    def step(self, indices: list[int]) -> float:
        """Learn from some images and return the loss."""
        self.optimiser.zero_grad()
        loss = self._loss(indices)
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def _loss(self, indices: list[int]) -> Tensor:
        if self.folder is None:
            masks = torch.from_numpy(self.data.masks[indices])
            return plain_loss(self.model, self.data.pixels[indices], masks, masks.any(-1).any(-1).long())
        batch = self.data.batch(indices, self.cache)
        return batch_losses(self.model, self.source.features(batch, CPU), batch).total


def benchmark_training(
    workload: Workload, run_images: int | None = None, dtype: CacheType = "float16"
) -> TrainingRow:
    """Return one row.

    Args:
        workload: What is measured.
        run_images: Also train for ten epochs on so many images in both ways; None leaves it out.
        dtype: Precision of the cache.
    """
    with tempfile.TemporaryDirectory() as name:
        model, _ = workload.build()
        data = _Data.make(model, run_images or workload.batch)
        plain, ours = _Run(model, data, None, dtype), _Run(model, data, Path(name), dtype)
        medians, peaks = _steps(workload, plain, ours)
        pair = (_Run(model, data, None, dtype), _Run(model, data, Path(name), dtype))
        whole = _whole_runs(workload, pair, len(data.pixels)) if run_images else None
    first, later = medians["first"], medians["cached"]
    return TrainingRow(
        name=workload.name,
        size=model.encoder.preprocess.size,
        batch=workload.batch,
        plain_seconds=medians["plain"],
        first_seconds=first,
        cached_seconds=later,
        speedup=EPOCHS * medians["plain"] / (first + (EPOCHS - 1) * later),
        plain_mb=peaks["plain"],
        first_mb=peaks["first"],
        cached_mb=peaks["cached"],
        run_images=run_images,
        run_plain_seconds=whole and whole[0],
        run_seconds=whole and whole[1],
        run_speedup=whole and whole[0] / whole[1],
        loss_difference=whole and whole[2],
    )


def _steps(workload: Workload, plain: _Run, ours: _Run) -> tuple[dict[str, float], dict[str, float | None]]:
    """Return the median time and the peak memory of a step of each kind."""
    indices = list(range(workload.batch))

    def first() -> None:
        ours.forget()
        ours.step(indices)

    work: dict[str, Callable[[], object]] = {
        "plain": lambda: plain.step(indices),
        "first": first,
        "cached": lambda: ours.step(indices),
    }
    peaks = {}
    for kind, step in work.items():
        step()
        with peak_memory() as peak:
            step()
        peaks[kind] = peak.megabytes
    times = in_turn(work, workload.pairs)
    return {kind: statistics.median(seconds) for kind, seconds in times.items()}, peaks


def _whole_runs(workload: Workload, pair: tuple[_Run, _Run], count: int) -> tuple[float, float, float]:
    """Return the seconds of the plain run and of ours, and how far their losses part."""
    seconds, losses = [], []
    for run in pair:
        rng = np.random.default_rng(0)
        start, found = time.perf_counter(), []
        for _ in range(EPOCHS):
            order = rng.permutation(count).tolist()
            found += [run.step(order[i : i + workload.batch]) for i in range(0, count, workload.batch)]
        seconds.append(time.perf_counter() - start)
        losses.append(np.array(found))
    return seconds[0], seconds[1], float(np.abs(losses[0] - losses[1]).max())
