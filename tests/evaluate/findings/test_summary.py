"""The evaluation: the metrics of the arrays, the facts about them, and no patient in what it hands on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from zerosight.errors import ConfigError, DataError
from zerosight.evaluate.findings import (
    FindingEvaluationConfig,
    FindingSettings,
    Provenance,
    evaluate_findings,
    split_images,
)
from zerosight.metrics import finding_data, finding_metrics, validation_thresholds

FACTS = Provenance("mine", {"model": "m"}, "cosine", "target-aware")
SCORES = np.array([[0.1, 0.2], [0.8, 0.3], [0.6, 0.9]])
LABELS = np.array([[0, 1], [1, 0], [0, 1]])


def test_the_tables_are_the_metrics_of_the_arrays(evaluated):
    evaluation = evaluated()
    assert [one.name for one in evaluation.findings] == ["pneumonia", "Effusion", "hernia", "a<b>c | d"]
    found = evaluate_findings(SCORES, SCORES, LABELS, None, ["a", "b"], FindingSettings(FACTS))
    expected = finding_metrics(
        finding_data(SCORES, SCORES, LABELS), FindingEvaluationConfig().policy, resamples=1000
    )
    assert tuple(one.table for one in found.findings) == expected.classes
    assert found.macro == expected.macro
    assert found.findings[0].table.auroc.value == roc_auc_score(LABELS[:, 0], SCORES[:, 0])
    assert (found.images, found.patients) == (3, 3)


def test_labels_are_mapped_to_anchors(evaluated):
    anchors = {one.name: one.anchor for one in evaluated().findings}
    assert anchors == {
        "pneumonia": "pneumonia",
        "Effusion": "pleural effusion",
        "hernia": "hernia",
        "a<b>c | d": "lung lesion",
    }


def test_patients_are_counted_and_never_named(evaluated):
    evaluation = evaluated()
    assert (evaluation.images, evaluation.patients) == (60, 30)
    assert "SECRET" not in repr(evaluation)
    assert "SECRET" not in json.dumps(evaluation.to_json())


def test_the_json_holds_what_a_reader_must_know(evaluated):
    values = evaluated("fixed:0.4").to_json()
    assert values["policy"]["name"] == "fixed:0.4"
    assert all(finding["policy"] == "fixed:0.4" for finding in values["findings"])
    assert values["anchors"]["provenance"] == "train-only"
    assert values["anchors"]["of"]["Effusion"] == "pleural effusion"
    assert (values["mode"], values["temperature"], values["images"]) == ("pos-neg", 0.07, 60)
    assert (
        values["splits"][0]["sha256"] == split_images("test", [f"images/{n}.png" for n in range(60)]).sha256
    )
    assert values["findings"][2]["auroc"] == {"value": None, "reason": "no positives", "error": 0.0}
    assert sum(values["findings"][1]["calibration_curve"]["images"]) == 60 - 9
    assert values["findings"][1]["unknown"] == 9


def test_thresholds_of_other_images_are_used(evaluated):
    evaluation = evaluated("validation")
    scores = np.random.default_rng(0).random((60, 4))
    assert [str(one.table.threshold) for one in evaluation.findings][2] == (
        "n/a (no positives in the validation images)"
    )
    assert evaluation.findings[0].table.policy == "validation"
    thresholds = validation_thresholds(finding_data(scores, scores, (scores > 0.5).astype(int)))
    assert all(0.5 <= threshold.value <= 1 for threshold in thresholds)


@pytest.mark.parametrize(
    ("data", "known"), [("chestxray14", True), ("ChestXray14", True), ("nih_subset", False)]
)
def test_published_values_are_for_their_data_set_only(evaluated, data, known):
    published = evaluated(data=data, resamples=0).published
    assert (published is not None) == known
    if published is not None:
        assert [row.model for row in published.rows] == ["CheXzero", "MedKLIP", "MAVL", "CARZero"]


def test_a_list_of_images_has_one_hash_in_any_order():
    first, second = (
        split_images("test", ["a", "b"], ["p", None]),
        split_images("test", ["b", "a"], [None, None]),
    )
    assert first.sha256 == second.sha256 != split_images("test", ["ab"]).sha256
    assert (first.patients, second.patients, split_images("x", ["a", "b"], ["p", "p"]).patients) == (2, 2, 1)


@pytest.mark.parametrize("threshold", ["orakle", "fixed:2", "fixed:"])
def test_other_policies_are_refused(threshold):
    with pytest.raises(ConfigError, match=r"threshold: .*threshold policy is"):
        FindingEvaluationConfig.parse({"threshold": threshold})


def test_wrong_names_are_refused():
    for names in (["a"], ["a", "a"]):
        with pytest.raises(DataError, match="give one per column, none of them twice"):
            evaluate_findings(SCORES, SCORES, LABELS, None, names, FindingSettings(FACTS))


def test_validation_without_thresholds_is_refused():
    settings = FindingSettings(FACTS, FindingEvaluationConfig(threshold="validation"))
    with pytest.raises(ConfigError, match="evaluate a validation split first"):
        evaluate_findings(SCORES, SCORES, LABELS, None, ["a", "b"], settings)
