"""Few-shot evaluation as the field does it: k normal images, drawn several times, zero-shot beside.

The normal images are drawn by seed from the training split of each category or, where there is none, from the
normal images to be judged, which are then left out, as are copies of them. A draw of k is part of the same
draw of more. What the tower sees of an image is computed once for all k and draws, and kept on disk.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from zerosight.choices import AugmentChoice, Aupro
from zerosight.data.manifest import Dataset, Record, select
from zerosight.errors import ConfigError, DataError
from zerosight.evaluate.anomalies.config import EvaluationConfig
from zerosight.evaluate.anomalies.result import Decisions
from zerosight.evaluate.anomalies.seen import Seen, see_categories
from zerosight.evaluate.anomalies.selection import select_rows
from zerosight.metrics import ImageMetrics, PixelMetrics
from zerosight.models.references.fit import add_block, build, choose_augment
from zerosight.models.references.model import References
from zerosight.models.references.turning import TURNS
from zerosight.models.references.wordless import TowerScorer
from zerosight.models.vip2clip.scorer import TorchScorer
from zerosight.predict.anomalies import Predictor

METRICS = ("image_auroc", "image_ap", "image_f1", "pixel_auroc", "pixel_aupro", "pixel_f1")
OWN = ("references_auroc", "false_alarms", "misses")
SOME = 32


class FewShotConfig(EvaluationConfig):
    """Settings of ``zerosight evaluate --normals``."""

    normals: tuple[int, ...] = Field((1, 2, 4, 8), min_length=1, description="numbers of normal images")
    draws: int = Field(5, ge=1, description="times that they are drawn")
    alpha: float = Field(0.05, gt=0, le=0.5, description="false-alarm rate that thresholds are chosen for")
    augment: AugmentChoice = Field("none", description="which turned copies of them are compared with, too")


@dataclass(frozen=True, slots=True)
class Trial:
    """One category judged with one draw of normal images.

    Attributes:
        category: The category.
        normals: Number of normal images; 0 is zero-shot.
        draw: Number of the draw, from 0.
        images: Number of images judged.
        values: Metrics in [0, 1] by name, NaN where undefined; ``references_auroc`` is that of images by the
            references alone, without words; at the model's own threshold, the share of normal images that
            are called anomalous and of anomalous ones that are not.
    """

    category: str
    normals: int
    draw: int
    images: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class FewShotRow:
    """The mean over categories for one number of normal images: its mean and deviation over draws."""

    normals: int
    mean: dict[str, float]
    deviation: dict[str, float]


@dataclass(frozen=True, slots=True)
class FewShotResult:
    """What a few-shot evaluation of one data set hands out.

    Attributes:
        name: The data set.
        trials: All of them.
    """

    name: str
    trials: tuple[Trial, ...]

    def rows(self) -> tuple[FewShotRow, ...]:
        """Return one row per number of normal images."""
        found = []
        for count in sorted({trial.normals for trial in self.trials}):
            mine = [(trial.draw, trial.values) for trial in self.trials if trial.normals == count]
            found.append(FewShotRow(count, *over_draws(mine)))
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, with null for what is undefined."""
        return {
            "data": self.name,
            "rows": [
                {"normals": row.normals, "mean": plain(row.mean), "deviation": plain(row.deviation)}
                for row in self.rows()
            ],
            "trials": [
                {
                    "category": trial.category,
                    "normals": trial.normals,
                    "draw": trial.draw,
                    "images": trial.images,
                    **plain(trial.values),
                }
                for trial in self.trials
            ],
        }


def over_draws(trials: list[tuple[int, dict[str, float]]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return means and deviations over draws, by name, of the means over categories.

    Args:
        trials: The draw and the metrics of each; metrics that are undefined in a category are left out.
    """
    mean, deviation = {}, {}
    for name in trials[0][1]:
        draws = [[values[name] for one, values in trials if one == draw] for draw in sorted(dict(trials))]
        means = [float(np.mean([v for v in values if v == v] or [np.nan])) for values in draws]
        mean[name] = float(np.mean(means))
        deviation[name] = float(np.std(means, ddof=1)) if len(means) > 1 else float("nan")
    return mean, deviation


def plain(values: dict[str, float]) -> dict[str, float | None]:
    """Return metrics as JSON values, null where undefined."""
    return {key: round(value, 6) if value == value else None for key, value in values.items()}


def few_shot(
    predictor: Predictor,
    dataset: Dataset,
    config: FewShotConfig,
    progress: Callable[[int, int], None] | None = None,
) -> FewShotResult:
    """Return how much normal images help, by their number.

    Args:
        predictor: Of a zero-shot model in PyTorch, or of an image tower alone, which has no zero-shot row.
        dataset: A layout or a manifest; its images are judged one category after the other.
        config: The settings.
        progress: Called with the numbers of images seen and of all images.

    Raises:
        DataError: There is nothing to evaluate.
        ConfigError: The model gives no features, or a category has fewer normal images than are to be drawn.
    """
    if not isinstance(predictor.scorer, TorchScorer | TowerScorer):
        raise ConfigError(f"--normals: '{predictor.card.name}' gives no features; use a model folder")
    base, threshold = predictor.scorer.model, predictor.card.thresholds.image
    groups = {name: _rows(dataset, config, name) for name in select_rows(dataset, config).categories}
    for name, (judged, extra) in groups.items():
        _check(name, judged, extra, config)
    rows = {name: [*judged, *extra] for name, (judged, extra) in groups.items()}
    trials: list[Trial] = []
    turns = TURNS["turns" if config.augment == "auto" else config.augment]
    for name, seen in see_categories(base, dataset, rows, config, progress, turns):
        trials += _trials(seen, (name, len(groups[name][0])), config, threshold)
    return FewShotResult(dataset.header.name, tuple(trials))


def _rows(dataset: Dataset, config: EvaluationConfig, name: str) -> tuple[list[Record], list[Record]]:
    """Return the rows of a category to judge, and normal ones of its training split."""
    judged = [r for r in select(dataset.records(False), config.splits, (name,)) if r.label is not None]
    train = select(dataset.records(False), ("train",), (name,)) if "train" not in config.splits else iter(())
    return judged, [record for record in train if record.label == 0]


def _check(name: str, judged: list[Record], extra: list[Record], config: FewShotConfig) -> None:
    most, there = max(config.normals), len(extra) or sum(record.label == 0 for record in judged) - 1
    if min(config.normals) < 1:
        raise ConfigError(f"normals: should be at least 1, got {min(config.normals)}; 0 is always there")
    if most > there:
        raise ConfigError(
            f"normals: {most} are asked for, but '{name}' has {max(there, 0)} to draw from; ask for fewer"
        )


def _trials(
    seen: Seen, category: tuple[str, int], config: FewShotConfig, threshold: float
) -> Iterator[Trial]:
    """Yield zero-shot, then every number of normal images and every draw."""
    name, judged = category
    test = [row for row in seen.place[:judged] if row >= 0]
    extra = [row for row in seen.place[judged:] if row >= 0]
    if not test:
        raise DataError(f"{name}: no image can be read")
    if seen.scores:
        yield Trial(name, 0, 0, len(test), judge(seen, test, None, config.aupro, threshold))
    pool = extra or [row for row in test if not seen.labels[row]]
    for draw in range(config.draws):
        order = draw_order(seen, pool, name, (config.seed, draw))
        for count in config.normals:
            left = without(seen, test, order[:count])
            block = seen.block(order[:count], turned=True)
            if config.augment == "auto":
                block = block.only(choose_augment(block))
            fitted = build(seen.base, add_block(None, block), config.alpha)
            values = judge(seen, left, fitted.references, config.aupro, 0.5)
            yield Trial(name, count, draw, len(left), values)


def draw_order(seen: Seen, pool: list[int], category: str, seed: tuple[int, int]) -> list[int]:
    """Return different images of a pool in the order in which they become normals.

    Args:
        seen: What they are rows of.
        pool: Normal images.
        category: Theirs.
        seed: Of all draws, and the number of this one.
    """
    unique = list({seen.hashes[row]: row for row in pool}.values())
    rng = np.random.default_rng([seed[0], zlib.crc32(category.encode()), seed[1]])
    return [unique[i] for i in rng.permutation(len(unique))]


def without(seen: Seen, rows: list[int], normals: list[int]) -> list[int]:
    """Return the rows that are neither normals nor copies of them."""
    taken = {seen.hashes[row] for row in normals}
    return [row for row in rows if seen.hashes[row] not in taken]


def judge(
    seen: Seen, rows: list[int], references: References | None, aupro: Aupro, threshold: float
) -> dict[str, float]:
    """Return the metrics of some images.

    Args:
        seen: What they are rows of.
        rows: The images.
        references: What judges them; None is the zero-shot model.
        aupro: The variant.
        threshold: Of the scores.
    """
    images, alone, pixels, found = ImageMetrics(), ImageMetrics(), PixelMetrics(), []
    for first in range(0, len(rows), SOME):
        some = rows[first : first + SOME]
        scores, maps, *others = seen.judged_by(references, some)
        labels = np.array([seen.labels[row] for row in some])
        found.append(scores)
        images.update(scores, labels)
        for other in others:
            alone.update(other, labels)
        for row, one in zip(some, maps, strict=True):
            mask = seen.mask(row)
            if mask is not None:
                pixels.update(one[None], mask[None])
    image, pixel = images.compute(), pixels.compute()
    labels = np.array([seen.labels[row] for row in rows])
    decided = Decisions.of(np.concatenate(found), labels, threshold)
    return {
        "image_auroc": image.auroc.value,
        "image_ap": image.ap.value,
        "image_f1": image.f1_max.value,
        "pixel_auroc": pixel.auroc.value,
        "pixel_aupro": (pixel.aupro_exact if aupro == "exact" else pixel.aupro_published).value,
        "pixel_f1": pixel.f1_max.value,
        "references_auroc": alone.compute().auroc.value if references is not None else float("nan"),
        "false_alarms": decided.false_alarm_rate,
        "misses": decided.miss_rate,
    }
