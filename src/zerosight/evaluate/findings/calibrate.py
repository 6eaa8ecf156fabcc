"""Calibration of a model of findings on one's own images: of probabilities by labels, of maps by regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerosight.data.manifest import Dataset
from zerosight.evaluate.findings.config import ModelEvaluationConfig, RowsConfig
from zerosight.evaluate.findings.feature_store import FeatureStore
from zerosight.evaluate.findings.localisation import PRIOR, Localisation, localise_findings
from zerosight.evaluate.findings.run import ask
from zerosight.evaluate.findings.selection import Asked, asked_of, rows_of, wanted_rows
from zerosight.evaluate.findings.splits import Splits, labelled
from zerosight.journal import ResumePolicy
from zerosight.models.llava_radz.calibration import FindingCalibration, fit_calibration
from zerosight.models.llava_radz.card import MapMeasures, MapRecord
from zerosight.models.llava_radz.descriptions import load_descriptions
from zerosight.predict.findings import FindingPredictor

FEWEST_MAPS = 10
"""A finding with fewer is not judged by its own maps: our default."""


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


def measure_maps(
    predictor: FindingPredictor,
    dataset: Dataset,
    config: RowsConfig,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[MapRecord | None, dict[str, int]]:
    """Return how the model's own maps fare beside findings' mean places, and what was left out, by reason.

    None where no finding with a description has a region in two patients.

    Args:
        predictor: The model.
        dataset: A layout or a manifest, its rows with ``labels`` and ``regions``.
        config: Which rows and labels; without labels, all findings with a region.
        progress: Called with the numbers of images with a region that are done, and of all.

    Raises:
        ConfigError: A label is not in the data, or asked for twice.
        DataError: There are no such rows or, if strict, a row or a mask cannot be used.
    """
    rows, left_out = wanted_rows(dataset, config.splits, config)
    chosen = rows_of(dataset, rows, config.splits, config)
    placed = {name for row in chosen for name in row.regions if row.labels.get(name) == 1}
    labels = config.labels or sorted(placed & load_descriptions(config.descriptions).keys())
    if not labels:
        return None, dict(left_out.counts)
    asked = asked_of(chosen, config.model_copy(update={"labels": tuple(labels)}), left_out)
    question = ask(predictor, [one.finding for one in asked], config)
    way = predictor.card.maps.name
    how = ModelEvaluationConfig(**config.model_dump(), maps=(way,), resamples=0)
    found = localise_findings(predictor, question, dataset, chosen, asked, how, progress)
    if found is None:
        return None, dict(left_out.counts)
    overall = found.overall()
    where = f"{dataset.header.name}, split {' and '.join(sorted({row.split for row in chosen}))}"
    record = MapRecord(
        name=way,
        auroc=overall[way].auroc.value,
        prior=overall[PRIOR].auroc.value,
        findings=_by_finding(found, way, asked),
        source=f"{overall[way].images} maps of {found.images} images of {where}",
    )
    return record, {**left_out.counts, **found.left_out}


def _by_finding(found: Localisation, way: str, asked: Sequence[Asked]) -> dict[str, MapMeasures]:
    """Return the measures of the findings with enough maps."""
    tables = {(row.way, row.finding): row.table for row in found.rows}
    measures = {}
    for one in asked:
        own, prior = (tables.get((name, one.label)) for name in (way, PRIOR))
        if own is None or prior is None or own.images < FEWEST_MAPS or not own.auroc.is_defined:
            continue
        inside = own.inside.is_defined and prior.inside.is_defined
        measures[one.finding] = MapMeasures(
            maps=own.images,
            auroc=own.auroc.value,
            prior=prior.auroc.value,
            in_lungs=own.inside.value if inside else None,
            prior_in_lungs=prior.inside.value if inside else None,
        )
    return measures
