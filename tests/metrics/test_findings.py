"""Metrics of findings: against scikit-learn, with labels that are not known, by patient, and undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    accuracy_score,
    auc,
    average_precision_score,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
)

from zerosight.errors import ConfigError, DataError
from zerosight.metrics import (
    FindingData,
    Metric,
    ThresholdPolicy,
    bootstrap,
    finding_curves,
    finding_data,
    finding_metrics,
    validation_thresholds,
)

ORACLE, HALF, VALIDATION = (ThresholdPolicy.parse(text) for text in ("oracle", "fixed:0.5", "validation"))


def sample(images: int = 120, classes: int = 3, digits: int = 2, seed: int = 0) -> FindingData:
    """Return predictions that know something, with ties, unknown labels and patients of several images."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((images, classes)) < [0.1, 0.4, 0.6][:classes]).astype(float)
    scores = np.round(rng.normal(labels), digits)
    labels[rng.random(labels.shape) < 0.15] = np.nan
    patients = [f"p{number}" for number in rng.integers(0, images // 3, images)]
    return finding_data(scores, 1 / (1 + np.exp(-2 * scores + 1)), labels, patients)


def column(data: FindingData, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, probabilities and labels of a finding where the labels are known."""
    known = data.known(k)
    return data.scores[known, k], data.probabilities[known, k], data.labels[known, k].astype(int)


def field_protocol(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Return the oracle's threshold, F1 and accuracy the way the field's evaluation scripts do."""
    precision, recall, thresholds = precision_recall_curve(labels, probabilities)
    with np.errstate(invalid="ignore"):
        f1 = 2 * precision * recall / (precision + recall)
    best = np.flatnonzero(np.isclose(f1, np.nanmax(f1), rtol=0, atol=1e-12))[0]
    return thresholds[best], f1[best], accuracy_score(labels, probabilities > thresholds[best])


def test_areas_are_those_of_scikit_learn():
    data = sample()
    tables = finding_metrics(data, HALF).classes
    for k, table in enumerate(tables):
        scores, _, labels = column(data, k)
        assert table.auroc.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        assert table.ap.value == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
        assert (table.positives, table.negatives) == (labels.sum(), (1 - labels).sum())
        assert table.unknown == 120 - labels.size > 0


def test_fixed_threshold_calls_what_reaches_it_present():
    data = sample(digits=1)
    at = float(np.sort(data.probabilities[:, 1])[60])  # a value that occurs
    tables = finding_metrics(data, ThresholdPolicy("fixed", at)).classes
    for k, table in enumerate(tables):
        _, probabilities, labels = column(data, k)
        assert table.f1.value == pytest.approx(f1_score(labels, probabilities >= at), abs=1e-12)
        assert table.accuracy.value == pytest.approx(accuracy_score(labels, probabilities >= at), abs=1e-12)
        assert table.threshold.value == at


@pytest.mark.parametrize("digits", [0, 1, 4])
def test_oracle_is_the_protocol_of_the_field(digits):
    data = sample(digits=digits)
    for k, table in enumerate(finding_metrics(data, ORACLE).classes):
        _, probabilities, labels = column(data, k)
        found = (table.threshold.value, table.f1.value, table.accuracy.value)
        assert found == pytest.approx(field_protocol(probabilities, labels), abs=1e-12)


def test_validation_thresholds_are_the_oracle_of_other_images():
    validation, test = sample(seed=1), sample(seed=2)
    thresholds = validation_thresholds(validation)
    tables = finding_metrics(test, VALIDATION, thresholds).classes
    for k, (table, threshold) in enumerate(zip(tables, thresholds, strict=True)):
        assert threshold.value == finding_metrics(validation, ORACLE).classes[k].threshold.value
        _, probabilities, labels = column(test, k)
        assert table.f1.value == pytest.approx(f1_score(labels, probabilities >= threshold.value), abs=1e-12)


def test_every_table_names_its_policy():
    data = sample()
    for policy in (ORACLE, HALF):
        found = finding_metrics(data, policy)
        assert {table.policy for table in (*found.classes, found.macro)} == {str(policy)}


def test_macro_is_the_plain_mean():
    found = finding_metrics(sample(), ORACLE)
    for name in ("auroc", "ap", "f1", "accuracy", "calibration_error"):
        mean = np.mean([getattr(table, name).value for table in found.classes])
        assert getattr(found.macro, name).value == pytest.approx(mean, abs=1e-12)
    assert not found.macro.threshold.is_defined
    assert finding_metrics(sample(), HALF).macro.threshold.value == 0.5


@pytest.mark.parametrize("policy", [ORACLE, HALF])
def test_intervals_are_those_of_a_plain_loop_over_patients(policy):
    data = sample(60)
    found = finding_metrics(data, policy, resamples=150, seed=3)
    patients = list(dict.fromkeys(data.groups))
    members = [[i for i, group in enumerate(data.groups) if group == name] for name in patients]
    rng, values = np.random.default_rng(3), []
    for picks in rng.integers(0, len(patients), size=(150, len(patients))):
        rows = np.concatenate([members[pick] for pick in picks])
        drawn = finding_data(data.scores[rows], data.probabilities[rows], data.labels[rows])
        values.append(finding_metrics(drawn, policy))
    for name in ("auroc", "ap", "f1", "accuracy"):
        for k, table in enumerate(found.classes):
            of_class = [getattr(value.classes[k], name).value for value in values]
            check(getattr(table, name), of_class)
        means = [
            np.mean([getattr(table, name).value for table in value.classes])  # NaN if one is
            for value in values
        ]
        check(getattr(found.macro, name), means)


def check(metric: Metric, values: list[float]) -> None:
    """Compare an interval with the percentiles of the values that exist."""
    kept = np.array(values)[np.isfinite(values)]
    assert metric.interval is not None
    assert metric.interval.resamples == kept.size
    ends = (metric.interval.low, metric.interval.high)
    assert ends == pytest.approx(tuple(np.percentile(kept, [2.5, 97.5])), abs=1e-12)


def test_blocks_do_not_change_the_draws(monkeypatch):
    whole = finding_metrics(sample(), ORACLE, resamples=30)
    monkeypatch.setattr(bootstrap, "_BLOCK", 7 * 120)
    assert finding_metrics(sample(), ORACLE, resamples=30) == whole


def test_undefined_metrics_say_what_is_missing():
    labels = np.array([[0, 1, np.nan, 1], [0, 1, np.nan, 0], [np.nan, 1, np.nan, 1]])
    scores = np.array([[0.1] * 4, [0.7] * 4, [0.8] * 4])
    data = finding_data(scores, scores, labels)
    for policy in (ORACLE, HALF):
        found = finding_metrics(data, policy, resamples=20)
        none, every, unknown, both = found.classes
        assert str(none.auroc) == str(none.ap) == str(none.f1) == "n/a (no positives)"
        assert str(every.auroc) == "n/a (no negatives)"
        assert str(unknown.accuracy) == str(unknown.calibration_error) == "n/a (no known labels)"
        assert found.macro.auroc.value == both.auroc.value == 0.5
        assert math.isnan(none.auroc.value)
        assert none.auroc.interval is None
    assert none.accuracy.value == 0.5
    assert every.f1.value == 0.8


def test_nothing_defined_leaves_means_with_every_reason():
    data = finding_data(np.zeros((2, 2)), np.zeros((2, 2)), np.array([[0, 1], [0, 1]]))
    assert finding_metrics(data, ORACLE, resamples=5).macro.auroc.reason == "no positives; no negatives"


def test_a_class_without_a_validation_threshold_has_no_decisions():
    data = sample()
    thresholds = [Metric.undefined("no positives"), Metric(0.4), Metric(0.6)]
    first, second, _ = finding_metrics(data, VALIDATION, thresholds, resamples=5).classes
    assert str(first.f1) == str(first.accuracy) == "n/a (no positives in the validation images)"
    assert first.auroc.is_defined
    assert second.threshold.value == 0.4


def test_curves_are_of_the_known_images():
    data = sample()
    curves = finding_curves(data, 1, points=10_000)
    scores, _, labels = column(data, 1)
    area = auc(curves.false_positive_rate, curves.recall)
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_tables_become_json():
    values = finding_metrics(sample(), ORACLE, resamples=5).classes[0].to_json()
    assert values["policy"] == "oracle"
    assert values["auroc"]["interval"]["resamples"] <= 5


@settings(deadline=None, max_examples=60)
@given(
    data=st.tuples(st.integers(1, 12), st.integers(1, 3)).flatmap(
        lambda shape: st.tuples(
            arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])),
            arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0, np.nan])),
        )
    ),
    policy=st.sampled_from([ORACLE, HALF]),
)
def test_whatever_comes_in_values_are_shares_or_have_reasons(data, policy):
    scores, labels = data
    found = finding_metrics(finding_data(scores, scores, labels), policy, resamples=4, bins=3)
    for k, table in enumerate(found.classes):
        for metric in (table.auroc, table.ap, table.f1, table.accuracy, table.calibration_error):
            assert (metric.reason is None) == (0 <= metric.value <= 1)
            assert metric.reason != ""
        known = labels[~np.isnan(labels[:, k]), k]
        assert table.auroc.is_defined == (len(set(known)) == 2)
        assert table.positives + table.negatives + table.unknown == len(labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": np.array([[np.inf]])}, "the score of image 0, finding 0 is inf"),
        ({"probabilities": np.array([[1.5]])}, "the probability of image 0, finding 0 is 1.5"),
        ({"probabilities": np.array([[np.nan]])}, "the probability of image 0, finding 0 is nan"),
        ({"labels": np.array([[-1]])}, r"is -1: it should be 1, 0 or NaN \(not known\)"),
        ({"labels": np.array([[0, 1]])}, "one row per image and one column per finding"),
        ({"groups": ["a", "b"]}, "there are 2 groups"),
        ({name: np.empty((0, 1)) for name in ("scores", "probabilities", "labels")}, "one row per image"),
    ],
)
def test_wrong_data_is_refused(changes, message):
    right = {"scores": np.array([[0.1]]), "probabilities": np.array([[0.1]]), "labels": np.array([[1]])}
    with pytest.raises(DataError, match=message):
        finding_data(**right | changes)


def test_validation_without_thresholds_is_refused():
    with pytest.raises(ConfigError, match="evaluate a validation split first"):
        finding_metrics(sample(), VALIDATION)
