"""Image metrics against scikit-learn and the published values."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from zerosight.errors import DataError
from zerosight.metrics import ImageMetrics

PARITY = Path(__file__).resolve().parents[1] / "parity" / "metrics"


@settings(derandomize=True, deadline=None)
@given(data=st.data(), count=st.integers(2, 40), levels=st.sampled_from([1, 3, 1000]))
def test_scikit_learn_agrees_with_ties_and_without(data, count, levels):
    scores = data.draw(arrays(np.int64, count, elements=st.integers(-levels, levels))) / 7
    labels = data.draw(arrays(np.int64, count, elements=st.integers(0, 1)))
    assume(0 < labels.sum() < count)
    table = ImageMetrics().update(scores, labels).compute()
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert table.auroc.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert table.ap.value == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert table.f1_max.value == pytest.approx(f1.max(), abs=1e-12)
    assert f1[thresholds.searchsorted(table.f1_threshold.value)] == pytest.approx(f1.max(), abs=1e-12)


def test_the_published_values_are_reproduced():
    expected = json.loads(PARITY.with_suffix(".json").read_text())
    with np.load(PARITY.with_suffix(".npz")) as file:
        table = ImageMetrics().update(file["image_score"], file["label"]).compute()
    for name, value in (("auroc", table.auroc), ("ap", table.ap), ("f1", table.f1_max)):
        assert value.value == pytest.approx(expected[name], abs=1e-12)
    assert (table.normal, table.anomalous) == (6, 18)


def test_the_lowest_of_equally_good_thresholds_is_named():
    table = ImageMetrics().update(np.array([0.9, 0.5, 0.5, 0.2]), np.array([1, 0, 0, 1])).compute()
    assert table.f1_max.value == pytest.approx(2 / 3)
    assert table.f1_threshold.value == 0.2


def test_constant_scores_are_chance():
    table = ImageMetrics().update(np.full(8, 3.0), np.arange(8) % 2).compute()
    assert (table.auroc.value, table.ap.value, table.f1_threshold.value) == (0.5, 0.5, 3.0)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([0, 0], "no anomalous images"),
        ([1, 1], "no normal images"),
        ([], "no normal and no anomalous images"),
    ],
)
def test_a_missing_class_makes_every_metric_undefined(labels, reason):
    metrics = ImageMetrics().update(np.zeros(len(labels)), np.array(labels, dtype=int))
    table = metrics.compute(resamples=10)
    assert {table.auroc.reason, table.ap.reason, table.f1_max.reason, table.f1_threshold.reason} == {reason}
    assert table.to_json()["auroc"] == {"value": None, "reason": reason, "error": 0.0}
    assert np.isnan(metrics.curves().recall).all() == (not any(labels))


def test_shards_merge_to_the_whole():
    rng = np.random.default_rng(0)
    scores, labels = rng.random(30), rng.integers(0, 2, 30)
    whole = ImageMetrics().update(scores, labels)
    first, second = ImageMetrics().update(scores[:7], labels[:7]), ImageMetrics()
    for score, label in zip(scores[7:, None], labels[7:, None], strict=True):
        second.update(score, label)
    assert first.merge(second).compute(resamples=50) == whole.compute(resamples=50)


def test_intervals_are_asked_for():
    metrics = ImageMetrics().update(
        np.arange(20.0), np.arange(20) % 3 == 0, [f"p{i // 2}" for i in range(20)]
    )
    assert metrics.compute().auroc.interval is None
    table = metrics.compute(resamples=100, seed=1)
    interval = table.auroc.interval
    assert interval is not None
    assert interval.low < table.auroc.value < interval.high
    assert table.to_json()["auroc"]["interval"]["resamples"] <= 100
    assert table.f1_threshold.interval is None


@pytest.mark.parametrize(
    ("scores", "labels", "groups", "message"),
    [
        ([0.1, math.nan], [0, 1], None, r"the score of image 4 is nan: it must be finite"),
        ([0.1, math.inf], [0, 1], None, r"the score of image 4 is inf"),
        ([0.1, 0.2], [0, 2], None, r"label 1 is 2: labels are 0 \(normal\) or 1"),
        ([0.1, 0.2], [0, 1, 1], None, "2 scores, 3 labels"),
        ([0.1, 0.2], [0, 1], ["a"], "1 groups"),
    ],
)
def test_wrong_values_are_refused(scores, labels, groups, message):
    metrics = ImageMetrics().update(np.zeros(3), np.zeros(3, int))
    with pytest.raises(DataError, match=message):
        metrics.update(np.array(scores), np.array(labels), groups)
