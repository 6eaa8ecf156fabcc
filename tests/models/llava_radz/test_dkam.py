"""The category loss against a slow one written from its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zerosight.models.llava_radz.dkam import category_loss, category_term


def slow_term(features, anchors, labels, tau):
    """Mean over samples with a disease, of the mean over their diseases, of −log of its share."""
    samples = []
    for z, has in zip(features, labels, strict=True):
        diseases = [c for c in range(len(anchors)) if has[c]]
        if not diseases:
            continue
        logits = [np.dot(z, s) / np.linalg.norm(z) / np.linalg.norm(s) / tau for s in anchors]
        losses = []
        for c in diseases:
            rivals = [logits[o] for o in range(len(anchors)) if o == c or not has[o]]
            peak = max(rivals)
            losses.append(peak + math.log(sum(math.exp(r - peak) for r in rivals)) - logits[c])
        samples.append(sum(losses) / len(losses))
    return sum(samples) / len(samples) if samples else 0.0


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    labels=hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6)),
    tau=st.floats(0.01, 1.0),
)
def test_both_terms_are_the_slow_ones(seed, labels, tau):
    random = np.random.default_rng(seed)
    image, text = random.normal(size=(2, len(labels), 4))
    anchors = random.normal(size=(labels.shape[1], 4))
    slow = [slow_term(z, anchors, labels, tau) for z in (image, text)]
    tensors = [torch.from_numpy(value) for value in (image, text, anchors, labels)]
    assert category_loss(*tensors, tau).item() == pytest.approx(sum(slow) / 2, abs=1e-9)
    single = [t.float() if t.is_floating_point() else t for t in tensors]
    assert category_loss(*single, tau).item() == pytest.approx(sum(slow) / 2, abs=1e-4)


@pytest.mark.parametrize("value", [False, True])
def test_no_label_and_every_label_have_no_loss_and_no_gradient(value):
    features = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = category_term(features, torch.eye(4), torch.full((3, 4), value), 0.07)
    loss.backward()
    assert loss.item() == 0
    assert features.grad.abs().max() == 0


def test_without_categories_there_is_no_loss():
    loss = category_term(torch.ones(2, 4), torch.empty(0, 4), torch.empty(2, 0, dtype=torch.bool), 0.07)
    assert loss.item() == 0


def test_samples_without_disease_change_nothing():
    generator = torch.Generator().manual_seed(1)
    features, anchors = torch.randn(4, 5, generator=generator), torch.randn(3, 5, generator=generator)
    labels = torch.tensor([[1, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 0]]).bool()
    kept = labels.any(1)
    every = category_term(features, anchors, labels, 0.1)
    assert torch.allclose(every, category_term(features[kept], anchors, labels[kept], 0.1))


def test_gradients_are_right_and_anchors_get_none():
    generator = torch.Generator().manual_seed(2)
    image, text, anchors = (torch.randn(3, 4, generator=generator).double() for _ in range(3))
    labels = torch.tensor([[1, 0, 0], [1, 1, 1], [0, 0, 0]]).bool()
    tau = torch.tensor(0.3, dtype=torch.float64)
    inputs = [value.requires_grad_() for value in (image, text, tau)]
    assert torch.autograd.gradcheck(lambda i, t, tau: category_loss(i, t, anchors, labels, tau), inputs)
    anchors.requires_grad_()
    category_loss(image, text, anchors, labels, tau).backward()
    assert anchors.grad is None
