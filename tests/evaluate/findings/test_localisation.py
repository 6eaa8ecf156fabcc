"""Maps held to regions: the prior never sees its own patient, and what cannot be judged is counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import read_manifest
from zerosight.data.pixels import read_image
from zerosight.errors import DataError
from zerosight.evaluate.findings import ModelEvaluationConfig, evaluate_model, write_findings
from zerosight.evaluate.findings.localisation import PRIOR, SIDE, Prior, Truth
from zerosight.evaluate.findings.selection import Row
from zerosight.metrics.localisation import localise
from zerosight.predict.findings import FindingPredictor


def config(**values: object) -> ModelEvaluationConfig:
    return ModelEvaluationConfig(**{"resamples": 5, "labels": ("Effusion",), **values})


def test_tables_hold_the_prior_and_every_map_asked_for(marked, predictor: FindingPredictor, tmp_path):
    found = evaluate_model(predictor, marked, config(maps=("projector", "gradient")))
    assert found.localisation is not None
    ways = list(found.localisation.overall())
    assert ways == [PRIOR, "projector", "gradient"]
    boxed = [r for r in marked.records() if r.split == "test" and r.labels["Effusion"] == 1 and r.regions]
    assert found.localisation.images == len(boxed) == found.localisation.overall()["gradient"].images
    assert not found.localisation.own_lungs
    question = predictor.ask(["Effusion"])
    expected = []
    for row in boxed:
        pixels = predictor.model.mllm.preprocess.pixels(read_image(marked.resolve(row.image)))
        [values] = predictor.locate(pixels, question, ["pleural effusion"], "projector", (SIDE, SIDE))
        region = np.zeros((SIDE, SIDE), dtype=bool)
        if not isinstance(row.regions["Effusion"], str):
            region[16:96, 80:144] = True
        else:
            region[20:120, 18:62] = True
        expected.append(localise(values, region, region, ~region).auroc)
    assert found.localisation.overall()["projector"].auroc.value == pytest.approx(np.mean(expected), abs=0.02)
    page = write_findings(found, tmp_path / "out")
    assert "Where findings are" in page.read_text()
    assert "| constant prior |" in (tmp_path / "out" / "evaluation.md").read_text()
    values = json.loads((tmp_path / "out" / "evaluation.json").read_text())["localisation"]
    assert values["lungs"] == "two fixed ellipses"
    assert {row["way"] for row in values["rows"]} == set(ways)


def test_without_regions_or_findings_there_is_nothing_to_tell(studies, marked, predictor):
    assert evaluate_model(predictor, read_manifest(studies), config()).localisation is None
    assert evaluate_model(predictor, marked, config(labels=("Nodule",))).localisation is None


def test_the_prior_leaves_out_the_patient_it_is_held_to():
    regions = [np.zeros((SIDE, SIDE), dtype=bool) for _ in range(3)]
    for place, region in enumerate(regions):
        region[place * 10 : place * 10 + 10] = True
    patients = ("a", "a", "b")
    truths = [
        Truth(Row(f"{i}.png", patient, {"mass": 1}, "test", "frontal"), {"mass": region}, region, region)
        for i, (patient, region) in enumerate(zip(patients, regions, strict=True))
    ]
    prior = Prior(truths)
    np.testing.assert_array_equal(prior.map("mass", truths[0].row), regions[2].astype(np.float32))
    mean = prior.map("mass", truths[2].row)
    np.testing.assert_array_equal(mean, (regions[0] + regions[1].astype(np.float32)) / 2)
    assert Prior(truths[:2]).map("mass", truths[0].row) is None


def test_masks_that_cannot_be_used_are_counted_or_stop(marked, predictor):
    (marked.path.parent / "mask.png").write_bytes(b"no image")
    found = evaluate_model(predictor, marked, config())
    assert found.localisation is not None
    assert found.localisation.left_out["mask that cannot be read"] > 0
    with pytest.raises(DataError, match=r"mask\.png"):
        evaluate_model(predictor, marked, config(strict=True))
    Image.fromarray(np.zeros((40, 36), dtype=np.uint8)).save(marked.path.parent / "mask.png")
    found = evaluate_model(predictor, marked, config())
    assert found.localisation is not None
    assert found.localisation.left_out == {"empty mask": found.localisation.left_out["empty mask"]}
