"""The linear layer: scikit-learn's solution where it begins at nothing, and what holds it elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from zerosight.evaluate.findings.linear import STRENGTHS, choose_layer, fit_linear


def sample(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return unit features and labels of three findings, the last known for half of the images."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(80, 6)) + 1
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    logits = 8 * features @ np.eye(6, 3) - 3 + rng.normal(size=(80, 3))
    labels = (logits > 0).astype(float)
    labels[::2, 2] = np.nan
    return features, labels


@pytest.mark.parametrize("strength", [0.1, 10.0])
def test_from_nothing_it_is_logistic_regression(strength):
    features, labels = sample()
    layer = fit_linear(features, labels, np.zeros((3, 6)), strength)
    spread = features.var(axis=0).sum()
    for column in range(3):
        known = ~np.isnan(labels[:, column])
        reference = LogisticRegression(C=strength / spread, tol=1e-10, max_iter=10_000)
        reference.fit(features[known], labels[known, column])
        np.testing.assert_allclose(layer.weight[column], reference.coef_[0], atol=2e-4)
        np.testing.assert_allclose(layer.bias[column], reference.intercept_[0], atol=2e-4)
    assert layer.fitted.all()


def test_it_is_held_to_where_it_begins():
    features, labels = sample()
    start = np.random.default_rng(1).normal(size=(3, 6)) * 5
    moved = [
        np.linalg.norm(fit_linear(features, labels, start, strength).weight - start) for strength in STRENGTHS
    ]
    assert moved == sorted(moved)
    assert np.linalg.norm(fit_linear(features, labels, start, 1e-9).weight - start) < 1e-6


def test_the_order_of_the_images_changes_nothing():
    features, labels = sample()
    order = np.random.default_rng(2).permutation(len(features))
    one = fit_linear(features, labels, np.ones((3, 6)))
    other = fit_linear(features[order], labels[order], np.ones((3, 6)))
    np.testing.assert_allclose(one.weight, other.weight, atol=1e-4)


def test_labels_of_one_kind_leave_the_beginning():
    features, labels = sample()
    labels[:, 0], labels[:, 1] = 1, np.nan
    start = np.full((3, 6), 2.0)
    layer = fit_linear(features, labels, start)
    assert layer.fitted.tolist() == [False, False, True]
    assert np.array_equal(layer.weight[:2], start[:2])
    np.testing.assert_allclose(layer.logits(features)[:, 0], features @ start[0])
    single = fit_linear(features[:1], labels[:1], start)
    assert not single.fitted.any()


def test_validation_images_choose_the_strength():
    features, labels = sample()
    held_out, truth = sample(1)
    start = np.zeros((3, 6))
    layer = choose_layer(features, labels, start, held_out, truth)
    assert layer.strength in STRENGTHS
    unknown = choose_layer(features, labels, start, held_out, np.full_like(truth, np.nan))
    assert unknown.strength == STRENGTHS[0]
