"""Calibration on labelled images: the fit of their scores, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.data.manifest import read_manifest, write_manifest
from zerosight.errors import DataError
from zerosight.evaluate.door import calibrate_findings
from zerosight.evaluate.findings import (
    ModelEvaluationConfig,
    RowsConfig,
    calibrate_model,
    evaluate_model,
    measure_maps,
)
from zerosight.evaluate.findings import calibrate as module
from zerosight.evaluate.findings.localisation import PRIOR
from zerosight.models.catalog import card_of
from zerosight.models.llava_radz.calibration import fit_calibration


def test_it_is_the_fit_of_the_scores(predictor, studies):
    manifest = read_manifest(studies)
    found, left_out = calibrate_model(predictor, manifest, RowsConfig(splits=("train", "val")))
    records = [record for record in manifest.records() if record.split != "test"]
    labels = np.array([[r.labels["Effusion"], r.labels["Nodule"]] for r in records], float)
    images = [manifest.resolve(record.image) for record in records]
    predictions = list(predictor.predict(images, ["Effusion", "Nodule"], maps=False))
    scores = np.array(
        [
            [{f.name: f.score for f in p.findings}[name] for name in ("Effusion", "Nodule")]
            for p in predictions
        ]
    )
    expected = fit_calibration(scores, labels, ["pleural effusion", "nodule"])
    assert found.temperature == pytest.approx(expected.temperature, rel=1e-3)
    effusion = found.findings["pleural effusion"]
    assert effusion.slope == pytest.approx(expected.findings["pleural effusion"].slope, rel=1e-3)
    assert effusion.reason == ""
    assert found.source.startswith("36 images of 18 patients of studies, split train and val, list sha256 ")
    assert left_out == {"finding without an image that shows it": 2, "finding without a description": 1}


def test_mode_and_labels_are_as_asked(predictor, studies):
    rows = RowsConfig(splits=("train",), labels=("Nodule=mass",), mode="cosine", views=("frontal",))
    found, _ = calibrate_model(predictor, read_manifest(studies), rows)
    assert (found.mode, list(found.findings)) == ("cosine", ["mass"])


def test_nothing_to_calibrate_on_is_told(predictor, studies):
    with pytest.raises(DataError, match="no images in split dev"):
        calibrate_model(predictor, read_manifest(studies), RowsConfig(splits=("dev",)))


def test_maps_are_measured_as_an_evaluation_measures_them(predictor, marked, monkeypatch):
    monkeypatch.setattr(module, "FEWEST_MAPS", 2)
    labels = ("Effusion",)
    record, _ = measure_maps(predictor, marked, RowsConfig(labels=labels))
    localisation = evaluate_model(predictor, marked, ModelEvaluationConfig(labels=labels)).localisation
    assert record is not None
    assert localisation is not None
    own, prior = (localisation.overall()[way] for way in ("joint", PRIOR))
    assert (record.auroc, record.prior) == (own.auroc.value, prior.auroc.value)
    found = record.findings["pleural effusion"]
    assert (found.maps, found.auroc, found.prior) == (own.images, own.auroc.value, prior.auroc.value)
    assert (found.in_lungs, found.prior_in_lungs) == (own.inside.value, prior.inside.value)
    assert record.source == f"{own.images} maps of {own.images} images of studies, split test"


def test_maps_need_no_image_without_the_finding_but_enough_with_it(predictor, marked, tmp_path):
    boxed = tmp_path / "boxed.jsonl"
    write_manifest(boxed, marked.header, [row for row in marked.records() if row.regions])
    record, _ = measure_maps(predictor, read_manifest(boxed), RowsConfig(splits=("train", "val", "test")))
    assert record is not None
    assert record.findings["pleural effusion"].maps >= module.FEWEST_MAPS
    few, _ = measure_maps(predictor, read_manifest(boxed), RowsConfig(splits=("val",)))
    assert few is not None
    assert few.auroc is not None
    assert not few.findings


def test_without_regions_there_is_no_record(predictor, studies):
    assert measure_maps(predictor, read_manifest(studies), RowsConfig())[0] is None


def test_a_calibrated_folder_keeps_which_maps_are_shown(radz, studies, marked, tmp_path):
    card, _ = calibrate_findings(marked, tmp_path / "all", radz, splits=["train"], labels=["Effusion"])
    assert card.calibration.findings
    assert card_of(tmp_path / "all").maps == card.maps
    assert card.maps.is_measured
    only, _ = calibrate_findings(marked, tmp_path / "maps", radz, only_maps=True, splits=["train"])
    assert not only.calibration.findings
    assert only.maps == card.maps
    plain, _ = calibrate_findings(studies, tmp_path / "plain", radz, splits=["train"], labels=["Effusion"])
    assert not plain.maps.is_measured
    with pytest.raises(DataError, match="no finding has a region in two patients"):
        calibrate_findings(studies, tmp_path / "none", radz, only_maps=True, splits=["train"])
