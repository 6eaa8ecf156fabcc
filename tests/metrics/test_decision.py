"""Threshold policies: what they are called and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosight.errors import ConfigError
from zerosight.metrics import ThresholdPolicy
from zerosight.metrics.decision import best_threshold, decisions, oracle_decisions
from zerosight.metrics.ranking import rank


@given(value=st.floats(0, 1).map(lambda value: float(f"{value:g}")))
def test_policies_survive_as_text(value):
    policy = ThresholdPolicy("fixed", value)
    assert ThresholdPolicy.parse(str(policy)) == policy


@pytest.mark.parametrize("text", ["oracle", "validation", " oracle "])
def test_policies_without_a_value(text):
    assert str(ThresholdPolicy.parse(text)) == text.strip()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("orakle", r"threshold policy is 'orakle' \(did you mean 'oracle'\?\)"),
        ("oracle:0.5", "use fixed:0.5"),
        ("", "use fixed:0.5"),
        ("fixed", "give a number from 0 to 1"),
        ("fixed:1.2", "give a number from 0 to 1"),
        ("fixed:nan", "give a number from 0 to 1"),
        ("fixed:a", "give a number from 0 to 1"),
    ],
)
def test_other_policies_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        ThresholdPolicy.parse(text)


def test_every_policy_says_what_it_means():
    meanings = [ThresholdPolicy.parse(text).meaning for text in ("fixed:0.5", "validation", "oracle")]
    assert len(set(meanings)) == 3
    assert "on the test images themselves" in meanings[2]


def test_the_lowest_of_equally_good_thresholds_is_taken():
    scores, positive = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, False, True])
    assert best_threshold(rank(scores, positive)) == 0.6  # F1 is 2/3 at 0.9 and at 0.6


def test_oracle_accuracy_calls_only_what_is_strictly_above():
    ranking = rank(np.array([0.9, 0.9, 0.5]), np.array([True, False, False]))
    f1, accuracy = oracle_decisions(*ranking.count(np.ones((1, 3), np.int64)))
    assert f1 == pytest.approx([2 / 3])
    assert accuracy == pytest.approx([2 / 3])  # nothing is above 0.9: both negatives are right


def test_a_weight_is_as_many_copies():
    rng = np.random.default_rng(0)
    positive, called, scores = rng.random(20) < 0.5, rng.random(20) < 0.5, rng.random(20).round(1)
    weights = rng.integers(0, 4, (1, 20))
    rows = np.repeat(np.arange(20), weights[0])
    once = np.ones((1, rows.size), np.int64)
    many = decisions(weights, called, positive), oracle_decisions(*rank(scores, positive).count(weights))
    copied = (
        decisions(once, called[rows], positive[rows]),
        oracle_decisions(*rank(scores[rows], positive[rows]).count(once)),
    )
    np.testing.assert_allclose(many, copied)
