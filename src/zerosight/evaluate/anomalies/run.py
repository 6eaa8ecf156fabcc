"""Evaluate: a model over a data set in one pass, in memory that does not grow with the images' pixels.

    rows → read on other threads → scorer, batch by batch → journal (scores, pixel counts) → summary

Scores and maps come from the same ``score`` that predictions come from, tiling and all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Float32

from zerosight.data.ahead import read_ahead
from zerosight.data.manifest import Dataset, Record
from zerosight.errors import DataError, one_line
from zerosight.evaluate.anomalies.config import EvaluationConfig
from zerosight.evaluate.anomalies.journal import EvaluationJournal
from zerosight.evaluate.anomalies.outcome import Outcome, Problem
from zerosight.evaluate.anomalies.result import DatasetResult
from zerosight.evaluate.anomalies.selection import ReadRow, RowReader, Selection, select_rows
from zerosight.evaluate.anomalies.summary import summarise
from zerosight.journal import ResumePolicy
from zerosight.metrics.binned import BinnedState, empty_binned
from zerosight.metrics.curves import average_precision
from zerosight.models.card import AnomalyCard
from zerosight.predict.anomalies import Predictor
from zerosight.preprocess import resize_map

Judged = Callable[[Selection, Iterable[tuple[int, Record]]], Iterator[tuple[Outcome, BinnedState | None]]]
"""Yields what is to be kept of rows, in their order, and the counts of their pixels."""
Found = tuple[float, Float32[np.ndarray, "height width"]]
"""A score, and a map: of the model's size, with tiling of the image's own."""


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    config: EvaluationConfig | None = None,
    resume_policy: ResumePolicy | None = None,
    progress: Callable[[int, int], None] | None = None,
    judged: Judged | None = None,
) -> DatasetResult:
    """Return the metrics of a model on a data set.

    Neither the batch size nor the number of threads nor the order of the rows changes a metric by more than
    floating-point rounding in the model does. Memory holds a few batches, about 300 bytes per image, and
    1.5 MB per category with masks.

    Args:
        predictor: The model.
        dataset: A layout or a manifest.
        config: The settings.
        resume_policy: Where to keep results, so that an interrupted evaluation can go on.
        progress: Called with the numbers of rows done and of all rows.
        judged: Does the work elsewhere, such as :class:`zerosight.scale.judge.Judges`; None does it here.

    Raises:
        DataError: There is nothing to evaluate or, if strict, a row or a file cannot be used.
        OutputError: The folder cannot be used; what was written to it before is kept.
    """
    config = config or EvaluationConfig()
    selection = select_rows(dataset, config)
    header = dataset.header
    settings = predictor.identity() | config.identity()
    settings |= {"data": header.name, "mask_threshold": header.mask_threshold}
    tell = progress or (lambda done, total: None)
    with EvaluationJournal(resume_policy or ResumePolicy(), settings) as journal:
        rows = selection.rows()
        todo = frozenset(row for row, record in rows if not _is_done(journal, selection, row, record))
        done = selection.total - len(todo)
        tell(done, selection.total)
        wanted = (numbered for numbered in selection.rows() if numbered[0] in todo)
        for outcome, counts in (judged or partial(judge, predictor))(selection, wanted):
            if outcome.problem is not None and config.strict:
                raise DataError(outcome.problem.text)
            journal.add(outcome, counts)
            done += 1
            tell(done, selection.total)
        return summarise(selection, journal, predictor.card.thresholds.image)


def model_facts(card: AnomalyCard) -> dict[str, Any]:
    """Return what identifies a model, as JSON values."""
    return card.identity()


def _is_done(journal: EvaluationJournal, selection: Selection, row: int, record: Record) -> bool:
    return journal.is_done(row, record, lambda stamp: selection.holds(stamp, record))


def judge(
    predictor: Predictor, selection: Selection, wanted: Iterable[tuple[int, Record]]
) -> Iterator[tuple[Outcome, BinnedState | None]]:
    """Yield what is to be kept of rows, in their order, and the counts of their pixels.

    Args:
        predictor: The model.
        selection: Where the rows come from.
        wanted: Rows with their numbers.
    """
    for row, found in _scored(predictor, selection, wanted):
        yield _judge(row, found, predictor, selection.config)


def _scored(
    predictor: Predictor, selection: Selection, wanted: Iterable[tuple[int, Record]]
) -> Iterator[tuple[ReadRow, Found | None]]:
    """Yield rows with their scores and maps; there are none of unreadable images."""
    config = selection.config
    read = RowReader(selection, predictor.scorer.preprocess, whole=predictor.tiling is not None)
    together = 1 if predictor.tiling else config.batch_size  # large images wait in memory one by one
    rows = read_ahead(wanted, read, config.workers, ahead=2 * together)
    while batch := list(islice(rows, together)):
        yield from zip(batch, predictor.score([row.read for row in batch], check=False), strict=True)


def _judge(
    row: ReadRow, found: Found | None, predictor: Predictor, config: EvaluationConfig
) -> tuple[Outcome, BinnedState | None]:
    """Return what is to be kept of one row, and the counts of its pixels."""
    record = row.record
    outcome = Outcome.of(row.row, record, row.problem, row.stamp)
    if found is None:
        return outcome, None
    score, anomaly_map = found
    try:
        if not 0 <= score <= 1:
            raise DataError(f"score {score} is not in [0, 1]")
        if row.mask is None:
            return replace(outcome, score=score), None
        height, width = row.mask.shape
        compared = _compared(anomaly_map, (height, width), predictor, config.resolution == "native")
        counts = empty_binned().update(compared, row.mask)
    except DataError as error:
        text = one_line(f"{record.image}: the model gave unusable scores: {error}")
        return replace(outcome, problem=Problem("unusable scores", text)), None
    return replace(outcome, score=score, localisation=_localisation(counts), counted=True), counts


def _compared(
    anomaly_map: Float32[np.ndarray, "height width"],
    shape: tuple[int, int],
    predictor: Predictor,
    native: bool,
) -> Float32[np.ndarray, "mask_height mask_width"]:
    """Return a map at the size of its mask: the image's own where ``native``, else the model's."""
    preprocess = predictor.scorer.preprocess
    if native:
        return anomaly_map if predictor.tiling else preprocess.unfit(anomaly_map, shape)
    if not predictor.tiling:
        return resize_map(anomaly_map, shape)
    left, top, wide, high = preprocess.box(*anomaly_map.shape)
    square = np.zeros(shape, np.float32)
    square[top : top + high, left : left + wide] = resize_map(anomaly_map, (high, wide))
    return square


def _localisation(counts: BinnedState) -> float | None:
    """Return the average precision of one image's pixels, None unless there are both kinds."""
    tally, _ = counts.summary()
    if not (tally.normal_total and tally.anomalous_total):
        return None
    return float(average_precision(tally.normal, tally.anomalous))
