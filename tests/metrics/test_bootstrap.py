"""Bootstrap intervals: against a plain loop, by group, and with one class."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from zerosight.errors import ConfigError, DataError
from zerosight.metrics import bootstrap, bootstrap_interval, bootstrap_intervals


def sample(count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    labels = rng.random(count) < 0.4
    return np.round(rng.normal(labels * 1.0), 1), labels


def test_resamples_are_those_of_a_plain_loop():
    scores, labels = sample(40)
    rng, aurocs, aps = np.random.default_rng(5), [], []
    for row in rng.integers(0, 40, size=(200, 40)):
        aurocs.append(roc_auc_score(labels[row], scores[row]))
        aps.append(average_precision_score(labels[row], scores[row]))
    found = bootstrap_intervals(scores, labels, resamples=200, seed=5)
    for name, values in (("auroc", aurocs), ("ap", aps)):
        low, high = np.percentile(values, [2.5, 97.5])
        assert (found[name].low, found[name].high) == pytest.approx((low, high), abs=1e-12)
        assert found[name].resamples == 200


def test_blocks_do_not_change_the_draws(monkeypatch):
    scores, labels = sample()
    whole = bootstrap_intervals(scores, labels, resamples=50)
    monkeypatch.setattr(bootstrap, "_BLOCK", 7 * 80)
    assert bootstrap_intervals(scores, labels, resamples=50) == whole


def test_seeds_are_repeatable_and_differ():
    scores, labels = sample()
    first, again, other = (bootstrap_interval(scores, labels, "ap", seed=s) for s in (0, 0, 1))
    assert first == again != other


def test_groups_are_drawn_whole_and_widen_the_interval():
    scores, labels = sample()
    copies = 5
    groups = [f"patient {i}" for i in range(80)] * copies
    many, marks = np.tile(scores, copies), np.tile(labels, copies)
    alone = bootstrap_interval(many, marks, "auroc", resamples=400)
    grouped = bootstrap_interval(many, marks, "auroc", groups, resamples=400)
    single = bootstrap_interval(scores, labels, "auroc", resamples=400)
    assert (grouped.low, grouped.high) == pytest.approx((single.low, single.high), abs=1e-12)
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_images_without_a_group_stand_alone():
    scores, labels = sample()
    assert bootstrap_intervals(scores, labels, [None] * 80) == bootstrap_intervals(scores, labels)


def test_the_interval_covers_the_true_value_about_as_often_as_it_says():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(100):
        labels = np.arange(120) % 2
        interval = bootstrap_interval(rng.normal(labels * 1.0), labels, "auroc", resamples=200)
        hits += interval.low <= 0.7602499 <= interval.high
    assert 87 <= hits <= 100


def test_resamples_of_one_class_are_left_out():
    interval = bootstrap_interval(np.array([0.1, 0.9, 0.3]), np.array([0, 1, 0]), "auroc", resamples=300)
    assert 0 < interval.resamples < 300
    assert (interval.low, interval.high) == (1.0, 1.0)


def test_a_missing_class_has_no_interval():
    interval = bootstrap_interval(np.zeros(3), np.ones(3, int), "f1_max")
    assert math.isnan(interval.low)
    assert interval.to_json() == {
        "low": None,
        "high": None,
        "resamples": 0,
        "reason": "no normal or no anomalous images",
    }


def test_classes_that_never_meet_in_a_resample_have_no_interval():
    interval = bootstrap_interval(np.array([0.1, 0.9]), np.array([0, 1]), "auroc", resamples=1, seed=0)
    assert interval.reason == "every resample held one class only"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"resamples": 0}, ConfigError, "resamples is 0"),
        ({"metric": "f2"}, ConfigError, "metric is 'f2': it must be one of auroc, ap, f1_max"),
        ({"groups": ["a"]}, DataError, "2 scores, 2 labels and 1 groups"),
        ({"labels": np.array([0, 5])}, DataError, "label 1 is 5"),
    ],
)
def test_wrong_arguments_are_refused(changes, error, message):
    arguments = {"scores": np.array([0.1, 0.2]), "labels": np.array([0, 1]), "metric": "auroc"} | changes
    with pytest.raises(error, match=message):
        bootstrap_interval(**arguments)
