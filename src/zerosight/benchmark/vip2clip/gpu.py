"""An NVIDIA GPU: the whole beside the tower alone, latency, training and memory."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from zerosight.backbones.normalise import normalise
from zerosight.benchmark.vip2clip.workloads import Workload, pictures
from zerosight.choices import Arithmetic
from zerosight.errors import ConfigError
from zerosight.models.vip2clip.losses import training_losses
from zerosight.models.vip2clip.scorer import TorchScorer

DEVICE = "cuda"
BATCHES = (1, 8, 32)
PASSES = 20


@dataclass(frozen=True, slots=True)
class GpuRow:
    """One workload, precision and batch size.

    Attributes:
        images_per_second: From pixels in main memory to scores and maps there.
        tower_images_per_second: The image tower alone, on images that are on the GPU.
        whole_over_tower: Ratio of the median times.
        p50_ms: Latency of a pass, the median.
        p95_ms: Its 95th percentile.
        peak_mb: Peak of the GPU's memory, the model included.
        training_steps_per_second: With features from the cache; of batch size 8 only.
    """

    name: str
    precision: Arithmetic
    batch: int
    images_per_second: float
    tower_images_per_second: float
    whole_over_tower: float
    p50_ms: float
    p95_ms: float
    peak_mb: float
    training_steps_per_second: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def benchmark_gpu(workload: Workload, compile: bool = False) -> list[GpuRow]:
    """Return the rows of a workload.

    Args:
        workload: What is measured.
        compile: Whether ``torch.compile`` translates the model first.

    Raises:
        ConfigError: There is no GPU that PyTorch can use.
    """
    if not torch.cuda.is_available():
        raise ConfigError("benchmark gpu: PyTorch finds no NVIDIA GPU here; run it where there is one")
    rows = []
    for precision in ("exact", "fast"):
        scorer = TorchScorer(workload.build()[0], DEVICE, precision, compile)
        rows += [_row(workload, scorer, precision, batch) for batch in BATCHES]
        del scorer
        torch.cuda.empty_cache()
    return rows


def _row(workload: Workload, scorer: TorchScorer, precision: Arithmetic, batch: int) -> GpuRow:
    pixels = pictures(batch, scorer.preprocess)
    images = normalise(torch.from_numpy(pixels).to(DEVICE), scorer.preprocess)
    torch.cuda.reset_peak_memory_stats()
    whole = _times(lambda: scorer.score(pixels))
    with torch.inference_mode():
        tower = _times(lambda: scorer.model.encoder.encode_image(images))
    steps = _training(scorer, pixels) if batch == 8 and precision == "exact" else None
    middle, alone = statistics.median(whole), statistics.median(tower)
    return GpuRow(
        name=workload.name,
        precision=precision,
        batch=batch,
        images_per_second=batch / middle,
        tower_images_per_second=batch / alone,
        whole_over_tower=middle / alone,
        p50_ms=1e3 * middle,
        p95_ms=1e3 * float(np.quantile(whole, 0.95)),
        peak_mb=torch.cuda.max_memory_allocated() / 1e6,
        training_steps_per_second=steps,
    )


def _training(scorer: TorchScorer, pixels: np.ndarray) -> float:
    """Return steps per second on features that are computed once, as a full cache gives them."""
    model = scorer.model
    with torch.no_grad():
        images = normalise(torch.from_numpy(pixels).to(DEVICE), scorer.preprocess)
        features = model.encoder.encode_image(images).to("cpu", torch.float16)
    masks = torch.zeros(pixels.shape[:3], dtype=torch.bool)
    masks[1::2, :32, :32] = True
    labels = masks.any(-1).any(-1).long()
    model.requires_grad_(True)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        alignment = model(features.to(DEVICE))
        maps = model.level_maps(alignment, scorer.preprocess.size)
        training_losses(maps, alignment.image_logits, masks.to(DEVICE), labels.to(DEVICE)).total.backward()
        optimiser.step()

    seconds = statistics.median(_times(step))
    model.requires_grad_(False)
    return 1 / seconds


def _times(work: Any) -> list[float]:
    for _ in range(3):
        work()
    seconds = []
    for _ in range(PASSES):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds
