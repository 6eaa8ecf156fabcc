"""A training step with the feature cache beside one that runs the frozen tower again."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zerosight.backbones.build import build_encoder
from zerosight.benchmark.inference import Case
from zerosight.models.vip2clip.losses import training_losses
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.feature_cache import FeatureCache
from zerosight.train.features import FeatureSource
from zerosight.train.samples import Batch, Item


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """Medians of one case, in seconds per step of ``batch`` images."""

    name: str
    size: int
    batch: int
    uncached_seconds: float
    cached_seconds: float
    speedup: float

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def benchmark_training(case: Case) -> TrainingRow:
    """Return one row: features read from disk beside features computed."""
    encoder = build_encoder(case.backbone)
    torch.manual_seed(0)
    model = Vip2Clip(encoder)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)
    size = encoder.preprocess.size
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (case.batch, size, size, 3), dtype=np.uint8)
    mask = np.zeros((size, size), bool)
    mask[: size // 4, : size // 4] = True
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(Path(folder), encoder)
        keys = [f"{i:02d}" * 32 for i in range(case.batch)]
        computed = Batch([Item(key, None, p, mask, 1) for key, p in zip(keys, pixels, strict=True)])
        FeatureSource(encoder, cache).features(computed, torch.device("cpu"))
        times: dict[str, list[float]] = {"uncached": [], "cached": []}
        for _ in range(case.pairs):
            start = time.perf_counter()
            _step(model, optimiser, FeatureSource(encoder), computed)
            times["uncached"].append(time.perf_counter() - start)
            start = time.perf_counter()
            read = Batch([Item(key, cache.get(key), None, mask, 1) for key in keys])
            _step(model, optimiser, FeatureSource(encoder, cache), read)
            times["cached"].append(time.perf_counter() - start)
    ratios = [a / b for a, b in zip(times["uncached"], times["cached"], strict=True)]
    return TrainingRow(
        case.name,
        size,
        case.batch,
        statistics.median(times["uncached"]),
        statistics.median(times["cached"]),
        statistics.median(ratios),
    )


def _step(model: Vip2Clip, optimiser: torch.optim.Optimizer, source: FeatureSource, batch: Batch) -> None:
    alignment = model(source.features(batch, torch.device("cpu")))
    maps = model.level_maps(alignment, model.encoder.preprocess.size)
    optimiser.zero_grad()
    training_losses(maps, alignment.image_logits, batch.masks, batch.labels).total.backward()
    optimiser.step()
