"""Calibration of a model of findings on labelled images of one's own."""

from __future__ import annotations

from collections.abc import Callable

from zerosight.data.manifest import Dataset
from zerosight.evaluate.findings.config import RowsConfig
from zerosight.evaluate.findings.feature_store import FeatureStore
from zerosight.evaluate.findings.run import ask
from zerosight.evaluate.findings.selection import asked_of, rows_of, wanted_rows
from zerosight.evaluate.findings.splits import Splits, labelled
from zerosight.journal import ResumePolicy
from zerosight.models.llava_radz.calibration import FindingCalibration, fit_calibration
from zerosight.predict.findings import FindingPredictor


def calibrate_model(
    predictor: FindingPredictor,
    dataset: Dataset,
    config: RowsConfig,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FindingCalibration, dict[str, int]]:
    """Return a calibration of the model's scores on labelled images, and how much was left out, by reason.

    Args:
        predictor: The model; its own calibration plays no part.
        dataset: A layout or a manifest, its rows with ``labels``.
        config: Which rows and labels.
        progress: Called with the numbers of images looked at and of all images.

    Raises:
        ConfigError: A label is not in the data, or asked for twice.
        DataError: There is nothing to calibrate on or, if strict, a row or a file cannot be used.
    """
    rows, left_out = wanted_rows(dataset, config.splits, config)
    chosen = rows_of(dataset, rows, config.splits, config)
    asked = asked_of(chosen, config, left_out)
    splits = Splits(asked, labelled(chosen, asked, left_out), None, {}, left_out)
    question = ask(predictor, splits.findings, config)
    with FeatureStore(predictor, dataset, ResumePolicy()) as store:
        store.collect(splits.test.rows, config, (), progress)
        splits = splits.seen(store)
        scores, _ = predictor.judge(store.features(splits.test.rows), question)
    facts = splits.test.identity()
    source = (
        f"{facts.images} images of {facts.patients} patients of {dataset.header.name}, split {facts.name}, "
        f"list sha256 {facts.sha256}"
    )
    found = fit_calibration(scores, splits.test.labels, splits.findings, question.mode, source=source)
    return found, dict(left_out.counts)
