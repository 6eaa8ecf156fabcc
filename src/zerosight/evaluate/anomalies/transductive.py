"""Does a batch serve as its own reference? Measured at several shares of anomalous images.

Normal and anomalous images are drawn by seed such that the batch has the wanted share of anomalies; the same
images are judged by the zero-shot model alone, by each other alone, and by both. Copies are left out. What
the tower sees of an image is computed once.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from zerosight.choices import Aupro
from zerosight.data.manifest import Dataset, select
from zerosight.errors import ConfigError, DataError
from zerosight.evaluate.anomalies.config import EvaluationConfig
from zerosight.evaluate.anomalies.few_shot import over_draws, plain
from zerosight.evaluate.anomalies.result import Decisions
from zerosight.evaluate.anomalies.seen import Seen, see_categories
from zerosight.evaluate.anomalies.selection import select_rows
from zerosight.metrics import ImageMetrics, PixelMetrics
from zerosight.metrics.result import PixelTable
from zerosight.models.references.estimators import principal_map
from zerosight.models.references.fusion import top_mean
from zerosight.models.references.moments import Moments
from zerosight.models.references.mutual import (
    FEWEST,
    FIRST,
    LARGEST_BATCH,
    Judged,
    along,
    compare,
    judge,
    remarks,
)
from zerosight.models.vip2clip.scorer import TorchScorer
from zerosight.predict.anomalies import Predictor

SOME = 32
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)


class BatchConfig(EvaluationConfig):
    """Settings of ``zerosight evaluate --batch-reference``."""

    shares: tuple[float, ...] = Field(SHARES, min_length=1, description="shares of anomalous images")
    draws: int = Field(5, ge=1, description="times that the images are drawn")


@dataclass(frozen=True, slots=True)
class BatchTrial:
    """One batch of one category.

    Attributes:
        category: The category.
        share: Of anomalous images.
        draw: Number of the draw, from 0.
        images: In the batch.
        values: Metrics in [0, 1] by name, NaN where undefined: image AUROC of the zero-shot model alone, of
            the comparison alone and of both, what follows of both, and whether the batch was warned of.
    """

    category: str
    share: float
    draw: int
    images: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What such an evaluation of one data set hands out."""

    name: str
    trials: tuple[BatchTrial, ...]

    def rows(self) -> Iterator[tuple[float, int, dict[str, float], dict[str, float]]]:
        """Yield the share, the images of the largest batch, and means and deviations over draws."""
        for share in sorted({trial.share for trial in self.trials}):
            mine = [trial for trial in self.trials if trial.share == share]
            means = over_draws([(trial.draw, trial.values) for trial in mine])
            yield share, max(trial.images for trial in mine), *means

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, with null for what is undefined."""
        return {
            "data": self.name,
            "rows": [
                {"share": share, "images": images, "mean": plain(mean), "deviation": plain(deviation)}
                for share, images, mean, deviation in self.rows()
            ],
            "trials": [
                {
                    "category": trial.category,
                    "share": trial.share,
                    "draw": trial.draw,
                    "images": trial.images,
                    **plain(trial.values),
                }
                for trial in self.trials
            ],
        }


def transductive(
    predictor: Predictor,
    dataset: Dataset,
    config: BatchConfig,
    progress: Callable[[int, int], None] | None = None,
) -> BatchResult:
    """Return how much a batch as its own reference helps, by its share of anomalies.

    Args:
        predictor: Of a zero-shot model in PyTorch.
        dataset: A layout or a manifest; its images are judged one category after the other.
        config: The settings.
        progress: Called with the numbers of images seen and of all images.

    Raises:
        ConfigError: The model gives no features, or a share is out of its range.
        DataError: There is nothing to evaluate, or too little for the wanted shares.
    """
    if not isinstance(predictor.scorer, TorchScorer):
        raise ConfigError(f"--batch-reference: '{predictor.card.name}' gives no features; use a model folder")
    for share in config.shares:
        if not 0 < share < 1:
            raise ConfigError(f"batch-reference: should be shares of anomalies in (0, 1), got {share}")
    base = predictor.scorer.model
    groups = {
        name: [r for r in select(dataset.records(False), config.splits, (name,)) if r.label is not None]
        for name in select_rows(dataset, config).categories
    }
    trials: list[BatchTrial] = []
    for name, seen in see_categories(base, dataset, groups, config, progress):
        trials += _trials(seen, name, config)
    return BatchResult(dataset.header.name, tuple(trials))


def _trials(seen: Seen, name: str, config: BatchConfig) -> Iterator[BatchTrial]:
    """Yield every share and draw of a category."""
    unique = list({seen.hashes[row]: row for row in seen.place if row >= 0}.values())
    for draw in range(config.draws):
        rng = np.random.default_rng([config.seed, zlib.crc32(name.encode()), draw])
        order = [unique[i] for i in rng.permutation(len(unique))]
        for share in config.shares:
            batch = _batch(order, [seen.labels[row] for row in order], share)
            if len(batch) < FEWEST:
                raise DataError(
                    f"{name}: {len(batch)} images can be had with {share:.0%} of them anomalous; at least "
                    f"{FEWEST} are compared, so choose other shares"
                )
            yield BatchTrial(name, share, draw, len(batch), _judge(seen, batch, config.aupro))


def _batch(order: list[int], labels: list[int], share: float) -> list[int]:
    """Return the first images of an order that make the largest batch with a share of anomalies."""
    bad = sum(labels)
    size = min(LARGEST_BATCH, int((len(labels) - bad) / (1 - share) + 1e-9), int(bad / share + 1e-9))
    wanted = {1: round(share * size)}
    wanted[0] = size - wanted[1]
    taken = []
    for row, label in zip(order, labels, strict=True):
        if wanted[label]:
            wanted[label] -= 1
            taken.append(row)
    return taken


def _judge(seen: Seen, rows: list[int], aupro: Aupro) -> dict[str, float]:
    """Return the metrics of one batch."""
    blocks = [seen.block(rows[first : first + SOME]) for first in range(0, len(rows), SOME)]
    maps = [
        principal_map(Moments.of(torch.cat(level)))
        for level in zip(*(block.levels for block in blocks[: FIRST // SOME]), strict=True)
    ]
    levels = zip(*(along(block.levels, maps) for block in blocks), strict=True)
    mutual = compare(tuple(torch.cat(level) for level in levels))
    words = torch.cat([block.words for block in blocks])
    judged = judge(seen.base, torch.cat([words, mutual.distances[:, None]], 1))
    labels = np.array([seen.labels[row] for row in rows])
    decided = Decisions.of(judged.scores, labels, judged.bound)
    pixels = _pixels(seen, rows, judged)
    return {
        "words_auroc": _auroc(np.array([seen.scores[row] for row in rows]), labels),
        "batch_auroc": _auroc(top_mean(mutual.distances), labels),
        "image_auroc": _auroc(judged.scores, labels),
        "pixel_auroc": pixels.auroc.value,
        "pixel_aupro": (pixels.aupro_exact if aupro == "exact" else pixels.aupro_published).value,
        "false_alarms": decided.false_alarm_rate,
        "misses": decided.miss_rate,
        "warned": float(any(remarks(judged, mutual))),
    }


def _auroc(scores: np.ndarray | Tensor, labels: np.ndarray) -> float:
    metrics = ImageMetrics()
    metrics.update(np.asarray(scores), labels)
    return metrics.compute().auroc.value


def _pixels(seen: Seen, rows: list[int], judged: Judged) -> PixelTable:
    """Return the metrics of the maps of images that have a mask."""
    pixels = PixelMetrics()
    masked = [(place, mask) for place, row in enumerate(rows) if (mask := seen.mask(row)) is not None]
    for place, mask in masked:
        _, maps = judged.references.finish(judged.sources[place : place + 1])
        pixels.update(maps.numpy(), mask[None])
    return pixels.compute()
