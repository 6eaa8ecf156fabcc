"""Evaluate: a model over a data set in one pass, in memory that does not grow with the images' pixels.

    rows → read on other threads → scorer, batch by batch → journal (scores, pixel counts) → summary

The scores come from the same ``score`` that predictions come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Float32

from zerosight.data.ahead import read_ahead
from zerosight.data.manifest import Dataset
from zerosight.data.pixels import one_line
from zerosight.errors import DataError
from zerosight.evaluate.config import EvaluationConfig
from zerosight.evaluate.journal import Journal
from zerosight.evaluate.outcome import Outcome, Problem
from zerosight.evaluate.result import DatasetResult
from zerosight.evaluate.samples import Sample, SampleReader
from zerosight.evaluate.selection import Selection, select_rows
from zerosight.evaluate.summary import summarise
from zerosight.journal import Store
from zerosight.metrics.binned import BinnedState, empty_binned
from zerosight.metrics.curves import average_precision
from zerosight.models.card import ModelCard
from zerosight.predict import Predictor
from zerosight.preprocess import resize_map


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    config: EvaluationConfig | None = None,
    store: Store | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DatasetResult:
    """Return the metrics of a model on a data set.

    Neither the batch size nor the number of threads nor the order of the rows changes a metric by more than
    floating-point rounding in the model does. Memory holds a few batches, about 300 bytes per image, and
    1.5 MB per category with masks.

    Args:
        predictor: The model.
        dataset: A layout or a manifest.
        config: The settings.
        store: Where to keep results, so that an interrupted evaluation can go on.
        progress: Called with the numbers of rows done and of all rows.

    Raises:
        DataError: There is nothing to evaluate or, if strict, a row or a file cannot be used.
        OutputError: The store cannot be used; what was written to it before is kept.
    """
    config, store = config or EvaluationConfig(), store or Store()
    selection = select_rows(dataset, config)
    settings = model_facts(predictor.card) | config.identity() | {"data": dataset.header.name}
    flags = {"resume": store.resume, "overwrite": store.overwrite}
    tell = progress or (lambda done, total: None)
    with Journal(store.folder, settings, **flags) as journal:
        done = sum(journal.is_done(*row) for row in selection.rows())
        tell(done, selection.total)
        for sample, score, anomaly_map in _scored(predictor, selection, journal):
            outcome, counts = _look(sample, score, anomaly_map)
            if outcome.problem is not None and config.strict:
                raise DataError(outcome.problem.text)
            journal.add(outcome, counts)
            done += 1
            tell(done, selection.total)
        return summarise(selection, journal)


def model_facts(card: ModelCard) -> dict[str, Any]:
    """Return what identifies a model, as JSON values."""
    return {
        "model": card.name,
        "architecture": card.architecture,
        "backbone": card.backbone.model_dump(mode="json", exclude_none=True),
        "backbone_fingerprint": card.backbone_fingerprint,
        "weights_sha256": card.weights_sha256,
    }


def _scored(
    predictor: Predictor, selection: Selection, journal: Journal
) -> Iterator[tuple[Sample, float | None, Float32[np.ndarray, "size size"] | None]]:
    """Yield every row that is not done with its score and map; both are None for unreadable images."""
    config = selection.config
    read = SampleReader(selection, predictor.scorer.preprocess)
    todo = (row for row in selection.rows() if not journal.is_done(*row))
    samples = read_ahead(todo, read, config.workers, ahead=2 * config.batch_size)
    while batch := list(islice(samples, config.batch_size)):
        pixels = [sample.pixels for sample in batch if sample.pixels is not None]
        found = iter(zip(*predictor.scorer.score(np.stack(pixels)), strict=True)) if pixels else iter(())
        for sample in batch:
            if sample.pixels is None:
                yield sample, None, None
            else:
                score, anomaly_map = next(found)
                yield sample, float(score), anomaly_map


def _look(
    sample: Sample, score: float | None, anomaly_map: Float32[np.ndarray, "size size"] | None
) -> tuple[Outcome, BinnedState | None]:
    """Return what is to be kept of one row, and the counts of its pixels."""
    record = sample.record
    outcome = Outcome.of(sample.row, record, sample.problem)
    if score is None or anomaly_map is None:
        return outcome, None
    try:
        if not 0 <= score <= 1:
            raise DataError(f"score {score} is not in [0, 1]")
        if sample.mask is None:
            return replace(outcome, score=score), None
        height, width = sample.mask.shape
        counts = empty_binned().update(resize_map(anomaly_map, (height, width)), sample.mask)
    except DataError as error:
        text = one_line(f"{record.image}: the model gave unusable scores: {error}")
        return replace(outcome, problem=Problem("unusable scores", text)), None
    return replace(outcome, score=score, localisation=_localisation(counts), counted=True), counts


def _localisation(counts: BinnedState) -> float | None:
    """Return the average precision of one image's pixels, None unless there are both kinds."""
    tally, _ = counts.summary()
    if not (tally.normal_total and tally.anomalous_total):
        return None
    return float(average_precision(tally.normal, tally.anomalous))
