"""A model over a data set: prediction's own scores, and results that only depend on what they should."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from zerosight.data.manifest import Manifest, read_manifest, write_manifest
from zerosight.data.pixels import read_image
from zerosight.errors import ConfigError, DataError
from zerosight.evaluate.findings import (
    FindingEvaluation,
    ModelEvaluationConfig,
    evaluate_model,
    write_findings,
)
from zerosight.evaluate.findings.tables import about, notes
from zerosight.journal import ResumePolicy
from zerosight.models.llava_radz.calibration import FindingCalibration, FindingScale
from zerosight.predict.findings import FindingPredictor

NAMES = ("pleural effusion", "nodule")


def config(**values: object) -> ModelEvaluationConfig:
    return ModelEvaluationConfig(**{"resamples": 20, **values})


@pytest.fixture
def own(studies: Path, tmp_path: Path) -> Manifest:
    """Return a copy of the studies that a test may spoil."""
    shutil.copytree(studies.parent, tmp_path / "own")
    return read_manifest(tmp_path / "own" / "studies.jsonl")


def truth(manifest: Manifest, name: str, split: str = "test") -> tuple[list[Path], np.ndarray]:
    """Return the images with a known label, and it."""
    rows = [row for row in manifest.records() if row.split == split and row.labels[name] is not None]
    return [manifest.resolve(row.image) for row in rows], np.array([row.labels[name] for row in rows])


def same(one: object, other: object) -> bool:
    """Return whether JSON values are the same but for rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < 1e-4
    return one == other


def results(evaluation: FindingEvaluation) -> dict[str, object]:
    return {key: value for key, value in evaluation.to_json().items() if key != "settings"}


def test_scores_are_those_of_prediction(predictor, studies):
    manifest = read_manifest(studies)
    found = evaluate_model(predictor, manifest, config(threshold="fixed:0.4"))
    assert [one.name for one in found.findings] == list(NAMES)
    for one, label in zip(found.findings, ("Effusion", "Nodule"), strict=True):
        images, present = truth(manifest, label)
        predictions = predictor.predict(images, [label], maps=False)
        probabilities = np.array([prediction.findings[0].probability for prediction in predictions])
        assert one.table.auroc.value == pytest.approx(roc_auc_score(present, probabilities), abs=1e-9)
        assert one.table.f1.value == pytest.approx(f1_score(present, probabilities >= 0.4), abs=1e-9)
        assert one.table.auroc.interval is not None
        np.testing.assert_allclose(np.sort(one.present), np.sort(probabilities[present == 1]), atol=1e-6)
    assert (found.images, found.patients) == (24, 12)
    assert found.provenance.anchor_provenance == "train-only"
    assert found.provenance.left_out == {
        "finding without an image that shows it": 2,
        "finding without a description": 1,
    }
    assert "left out: finding without a description: odd shadow" in notes(found)


def test_neither_batches_nor_threads_nor_order_change_a_result(predictor, own):
    settings = {"vqa": True, "finetune": (0.5,), "threshold": "validation", "val_splits": ("val",)}
    one = evaluate_model(predictor, own, config(batch_size=1, workers=1, **settings))
    records = list(own.records())
    order = np.random.default_rng(5).permutation(len(records))
    write_manifest(own.path, own.header, [records[i] for i in order])
    other = evaluate_model(predictor, own, config(batch_size=7, workers=3, **settings))
    assert same(results(one), results(other))
    assert not same(results(one), results(evaluate_model(predictor, own, config(**settings, seed=1))))
    assert one.settings == other.settings


def test_an_interrupted_evaluation_goes_on(predictor, studies, tmp_path, monkeypatch):
    manifest, features = read_manifest(studies), FindingPredictor.features
    expected = evaluate_model(predictor, manifest, config(batch_size=4))

    def stop(done: int, total: int) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_model(predictor, manifest, config(batch_size=4), ResumePolicy(tmp_path), stop)
    looked: list[int] = []
    monkeypatch.setattr(
        FindingPredictor, "features", lambda self, px: looked.append(len(px)) or features(self, px)
    )
    again = ResumePolicy(tmp_path, resume=True)
    gone_on = evaluate_model(predictor, manifest, config(batch_size=4), again)
    assert same(results(gone_on), results(expected))
    assert sum(looked) == 24 - 8
    other = config(labels=("nodule=mass",), mode="cosine", threshold="oracle", views=("frontal",))
    found = evaluate_model(predictor, manifest, other, again)
    assert sum(looked) == 24 - 8
    assert found.provenance.temperature is None
    assert found.findings[0].anchor == "mass"
    assert found.images == 13  # frontal, and known


def test_what_cannot_be_read_is_counted_and_tried_again(predictor, own, tmp_path):
    image = own.resolve("40.png")
    content = image.read_bytes()
    image.write_bytes(b"")
    store = ResumePolicy(tmp_path / "store", resume=True)
    found = evaluate_model(predictor, own, config(), store)
    assert found.provenance.left_out["unreadable image"] == 1
    assert any("40.png: is empty" in example for example in found.provenance.examples)
    assert found.images == 23
    assert found.provenance.splits[0].images == 23
    with pytest.raises(DataError, match=r"40\.png: is empty"):
        evaluate_model(predictor, own, config(strict=True))
    image.write_bytes(content)
    assert evaluate_model(predictor, own, config(), store).images == 24
    for path in own.root.glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 24 images of test could be used; the first: .*36\.png"):
        evaluate_model(predictor, own, config())


def test_thresholds_come_from_validation_images(predictor, studies):
    manifest = read_manifest(studies)
    found = evaluate_model(predictor, manifest, config(threshold="validation", val_splits=("val",)))
    assert found.provenance.thresholds == "chosen on the 12 images of split val"
    images, present = truth(manifest, "Effusion", "val")
    predictions = predictor.predict(images, ["Effusion"], maps=False)
    probabilities = np.array([prediction.findings[0].probability for prediction in predictions])
    best = max(f1_score(present, probabilities >= limit) for limit in probabilities)
    limit = found.findings[0].table.threshold.value
    assert f1_score(present, probabilities >= limit - 1e-6) == pytest.approx(best)
    assert [split.name for split in found.provenance.splits] == ["test", "val"]


def test_thresholds_come_from_the_models_own_calibration(predictor, studies, monkeypatch):
    manifest = read_manifest(studies)
    with pytest.raises(
        ConfigError, match=r"not calibrated for these findings .* name a part with --val-split"
    ):
        evaluate_model(predictor, manifest, config(threshold="validation"))
    scale = FindingScale(slope=2.0, threshold=0.3, reason="")
    calibration = FindingCalibration(findings={"pleural effusion": scale}, source="9 images")
    monkeypatch.setattr(predictor, "card", predictor.card.model_copy(update={"calibration": calibration}))
    found = evaluate_model(predictor, manifest, config(threshold="validation", vqa=True))
    effusion, nodule = (one.table for one in found.findings)
    assert effusion.threshold.value == 0.3
    assert nodule.f1.reason == "not calibrated in the validation images"
    assert "mean F1 and accuracy over the 1 of 2 findings that have them" in notes(found)
    assert found.provenance.thresholds == "the model's own, chosen on 9 images"
    assert found.provenance.calibration == "1 of 2 findings, on 9 images"
    assert found.baselines[0].findings[0].f1.reason.startswith("no threshold was chosen for vqa")
    with pytest.raises(ConfigError, match="in mode cosine"):
        evaluate_model(predictor, manifest, config(threshold="validation", mode="cosine"))


def test_answers_in_words_stand_beside(predictor, studies):
    manifest = read_manifest(studies)
    [baseline] = evaluate_model(predictor, manifest, config(vqa=True)).baselines
    images, present = truth(manifest, "Nodule")
    pixels = np.stack([predictor.model.mllm.preprocess.pixels(read_image(image)) for image in images])
    odds = predictor.answers(pixels, ["nodule"])[:, 0]
    assert baseline.name == "vqa"
    assert baseline.findings[1].auroc.value == pytest.approx(roc_auc_score(present, odds))
    assert baseline.findings[1].f1.value == pytest.approx(f1_score(present, odds >= 0))
    assert baseline.details["questions"][1] == "Is there nodule? Answer yes or no."


def test_shares_of_the_training_labels(predictor, studies):
    manifest = read_manifest(studies)
    found = evaluate_model(predictor, manifest, config(finetune=(0.1, 1.0), seed=2))
    few, every = found.baselines
    assert (few.name, every.name) == ("fine-tuned, 10 %", "fine-tuned, 100 %")
    assert (
        few.details["split"] | {"name": "10 % of train", "images": 4, "patients": 2} == few.details["split"]
    )
    assert every.details["split"]["images"] == 24
    assert sum(every.details["labels"]["nodule"].values()) == 19
    assert "24 images of 12 patients, drawn with seed 2; strength 10, fixed" in every.about
    assert every.macro.auroc.value > found.macro.auroc.value
    other = evaluate_model(predictor, manifest, config(finetune=(0.1,), seed=3)).baselines[0]
    assert other.details["split"]["sha256"] != few.details["split"]["sha256"]
    chosen = evaluate_model(predictor, manifest, config(finetune=(1.0,), val_splits=("val",))).baselines[0]
    assert chosen.details["strength_chosen_on"] == "val"


def test_findings_that_the_drawn_labels_do_not_show_stay_zero_shot(predictor, own):
    records = list(own.records())
    for record in records:
        if record.split == "train":
            record.labels["Effusion"] = 0
    write_manifest(own.path, own.header, records)
    found = evaluate_model(predictor, own, config(finetune=(1.0,)))
    tuned = found.baselines[0]
    assert tuned.details["unmoved"] == ["pleural effusion"]
    assert "left zero-shot for lack of labels of both kinds: pleural effusion" in tuned.about
    assert tuned.findings[0].auroc.value == pytest.approx(found.findings[0].table.auroc.value)


def test_patients_of_the_judged_images_are_not_learnt_from(predictor, own):
    records = list(own.records())
    moved = [record for record in records if record.image in ("36.png", "38.png")]
    for record in moved:
        object.__setattr__(record, "split", "train")
    write_manifest(own.path, own.header, records)
    found = evaluate_model(predictor, own, config(finetune=(1.0,), val_splits=("val",)))
    assert found.provenance.left_out["image in train of a patient in test or val"] == 2
    assert found.baselines[0].details["split"]["images"] == 24


def test_no_patient_is_named_anywhere(predictor, studies, tmp_path):
    settings = config(vqa=True, finetune=(0.5,), val_splits=("val",), threshold="validation")
    found = evaluate_model(predictor, read_manifest(studies), settings, ResumePolicy(tmp_path / "looks"))
    write_findings(found, tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert not [path for path in files if "SECRET" in path.read_text()]
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert [one["name"] for one in values["beside"]] == ["vqa", "fine-tuned, 50 %"]
    text = (tmp_path / "evaluation.md").read_text()
    assert "## Other ways, on the same images" in text
    assert "| finding | zero-shot | vqa | fine-tuned, 50 % |" in text
    assert "mode" not in about(found)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"labels": ("edema",)}, "test: none of 24 images has a known label of edema"),
        ({"labels": ("odd shadow",)}, "no description of 'odd shadow'"),
        ({"views": ("frontal", "front")}, r"no category 'front' in split test \(did you mean 'frontal'\?\)"),
        ({"views": ("side",)}, "no category side"),
        ({"splits": ("dev",)}, "no images in split dev; splits: train, val, test; choose with --split"),
        ({"val_splits": ("dev",)}, "no images in split dev; .* choose with --val-split"),
        ({"val_splits": ("test",)}, "test: all 24 images are of patients in test; choose another split"),
        ({"train_splits": ("dev",), "finetune": (0.1,)}, "choose with --train-split"),
    ],
)
def test_mistakes_are_told_before_any_image_is_read(predictor, studies, settings, said, monkeypatch):
    monkeypatch.setattr(FindingPredictor, "features", None)
    with pytest.raises(DataError, match=said):
        evaluate_model(predictor, read_manifest(studies), config(**settings))
