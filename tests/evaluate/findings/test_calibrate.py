"""Calibration on labelled images: the fit of their scores, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.data.manifest import read_manifest
from zerosight.errors import DataError
from zerosight.evaluate.findings import RowsConfig, calibrate_model
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
