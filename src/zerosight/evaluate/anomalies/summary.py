"""Summary: from single images and pixel counts to tables, whatever order they arrived in."""

from __future__ import annotations

import dataclasses
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from zerosight.evaluate.anomalies.config import EvaluationConfig
from zerosight.evaluate.anomalies.journal import EvaluationJournal
from zerosight.evaluate.anomalies.outcome import Outcome
from zerosight.evaluate.anomalies.result import CategoryResult, DatasetResult, LeftOut, Mean
from zerosight.evaluate.anomalies.selection import Selection
from zerosight.metrics import (
    ImageMetrics,
    ImageTable,
    Metric,
    PixelMetrics,
    PixelTable,
    bootstrap_values,
    percentile_interval,
)

MAX_EXAMPLES = 20
"""Files named per reason for leaving something out; all are counted."""


def summarise(selection: Selection, journal: EvaluationJournal, threshold: float) -> DatasetResult:
    """Return the tables of a data set whose every row is in the journal.

    Args:
        selection: Its rows.
        journal: What was found.
        threshold: The model's own, for scores, in [0, 1].
    """
    by_category: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in journal.outcomes.values():
        if outcome.score is not None:
            by_category[outcome.category].append(outcome)
    config = selection.config
    categories = tuple(
        _category(name, sorted(by_category[name], key=lambda o: (o.image, o.row)), journal, config)
        for name in selection.categories
    )
    return DatasetResult(
        header=selection.dataset.header,
        categories=categories,
        mean=mean_of(categories, config),
        left_out=_left_out(selection, journal.outcomes.values()),
        threshold=threshold,
    )


def mean_of(categories: Sequence[CategoryResult], config: EvaluationConfig) -> Mean:
    """Return the plain means over categories."""
    images, pixels = [c.image for c in categories], [c.pixel for c in categories]
    image = ImageTable(
        auroc=Metric.mean([table.auroc for table in images]),
        ap=Metric.mean([table.ap for table in images]),
        f1_max=Metric.mean([table.f1_max for table in images]),
        f1_threshold=Metric.undefined("thresholds are not averaged"),
        normal=sum(table.normal for table in images),
        anomalous=sum(table.anomalous for table in images),
    )
    pixel = PixelTable(
        auroc=Metric.mean([table.auroc for table in pixels]),
        ap=Metric.mean([table.ap for table in pixels]),
        f1_max=Metric.mean([table.f1_max for table in pixels]),
        f1_threshold=Metric.undefined("thresholds are not averaged"),
        aupro_exact=Metric.mean([table.aupro_exact for table in pixels]),
        aupro_published=Metric.mean([table.aupro_published for table in pixels]),
        normal=sum(table.normal for table in pixels),
        anomalous=sum(table.anomalous for table in pixels),
        regions=sum(table.regions for table in pixels),
        images=sum(table.images for table in pixels),
    )
    return Mean(
        image=_with_intervals(image, categories, config),
        pixel=pixel,
        image_over=sum(table.auroc.is_defined for table in images),
        pixel_over=sum(table.auroc.is_defined for table in pixels),
    )


def _category(
    name: str, outcomes: Sequence[Outcome], journal: EvaluationJournal, config: EvaluationConfig
) -> CategoryResult:
    metrics = ImageMetrics()
    scores, labels, groups = _columns(outcomes)
    metrics.update(scores, labels, groups)
    state = journal.pixels.get(name)
    pixels = PixelMetrics()
    if state is not None:
        pixels.state = state
    has_masks = any(outcome.mask is not None for outcome in outcomes)
    return CategoryResult(
        name=name,
        image=metrics.compute(config.resamples, config.seed),
        pixel=pixels.compute() if has_masks else _without_masks(pixels.compute()),
        outcomes=tuple(outcomes),
        image_curves=metrics.curves(),
        pixel_curves=None if state is None else pixels.curves(),
    )


def _columns(outcomes: Iterable[Outcome]) -> tuple[np.ndarray, np.ndarray, list[str | None]]:
    """Return scores, labels and groups of the labelled images."""
    labelled = [o for o in outcomes if o.label is not None]
    scores = np.array([o.score for o in labelled], np.float64)
    return scores, np.array([o.label for o in labelled], np.int64), [o.group for o in labelled]


def _without_masks(table: PixelTable) -> PixelTable:
    """Return the table with a reason that a reader understands."""
    blank = Metric.undefined("no masks")
    return dataclasses.replace(
        table,
        auroc=blank,
        ap=blank,
        f1_max=blank,
        f1_threshold=blank,
        aupro_exact=blank,
        aupro_published=blank,
    )


def _with_intervals(
    table: ImageTable, categories: Sequence[CategoryResult], config: EvaluationConfig
) -> ImageTable:
    """Return the table with intervals of its means: resample r of every category makes mean r."""
    defined = [c for c in categories if c.image.auroc.is_defined]
    if not config.resamples or not defined:
        return table
    if len(categories) == 1:
        return dataclasses.replace(
            table, **{name: getattr(defined[0].image, name) for name in ("auroc", "ap", "f1_max")}
        )
    drawn = [
        bootstrap_values(
            *_columns(c.outcomes), config.resamples, seed=config.seed + zlib.crc32(c.name.encode())
        )
        for c in defined
    ]
    changed = {}
    for name in drawn[0]:
        shortest = min(values[name].size for values in drawn)
        means = np.mean([values[name][:shortest] for values in drawn], axis=0)
        changed[name] = dataclasses.replace(getattr(table, name), interval=percentile_interval(means))
    return dataclasses.replace(table, **changed)


def _left_out(selection: Selection, outcomes: Iterable[Outcome]) -> tuple[LeftOut, ...]:
    """Return what was left out, by reason, in the order of the rows."""
    texts: dict[str, list[str]] = defaultdict(list)
    for outcome in sorted(outcomes, key=lambda o: o.row):
        if outcome.problem is not None:
            texts[outcome.problem.kind].append(outcome.problem.text)
    left = [LeftOut(kind, len(found), tuple(found[:MAX_EXAMPLES])) for kind, found in texts.items()]
    if selection.skipped.count:
        left.insert(0, LeftOut("bad row", selection.skipped.count, tuple(selection.skipped.reasons)))
    if selection.unlabelled:
        left.append(LeftOut("neither label nor mask", selection.unlabelled, ()))
    return tuple(left)
