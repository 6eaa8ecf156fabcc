"""The symmetric contrastive loss against a slow one written from its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.models.llava_radz.dfat import info_nce, info_nce_directions, scaled_cosines


def slow_direction(queries, keys, tau, ids):
    """Mean over i of −log( exp c_ii/τ / Σ exp c_ij/τ ), j over i itself and the pairs of other texts."""
    losses = []
    for i, query in enumerate(queries):
        terms = []
        for j, key in enumerate(keys):
            if j == i or ids[j] != ids[i]:
                cosine = np.dot(query, key) / math.sqrt(np.dot(query, query)) / math.sqrt(np.dot(key, key))
                terms.append(cosine / tau)
            if j == i:
                own = terms[-1]
        peak = max(terms)
        losses.append(peak + math.log(sum(math.exp(t - peak) for t in terms)) - own)
    return sum(losses) / len(losses)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    ids=st.lists(st.integers(0, 4), min_size=1, max_size=9),
    tau=st.floats(0.01, 1.0),
)
def test_both_directions_are_the_slow_ones(seed, ids, tau):
    image, text = np.random.default_rng(seed).normal(size=(2, len(ids), 5))
    found = info_nce_directions(torch.from_numpy(image), torch.from_numpy(text), tau, torch.tensor(ids))
    assert found.image_to_text.item() == pytest.approx(slow_direction(image, text, tau, ids), abs=1e-9)
    assert found.text_to_image.item() == pytest.approx(slow_direction(text, image, tau, ids), abs=1e-9)
    single = info_nce(torch.from_numpy(image).float(), torch.from_numpy(text).float(), tau, torch.tensor(ids))
    assert single.item() == pytest.approx(found.mean.item(), abs=1e-4)


def test_without_ids_every_other_pair_is_a_negative():
    image, text = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
    alone = info_nce(image, text, 0.07)
    assert torch.equal(alone, info_nce(image, text, 0.07, torch.arange(4)))
    assert alone > info_nce(image, text, 0.07, torch.tensor([0, 1, 1, 2]))


@pytest.mark.parametrize("ids", [[3], [5, 5, 5]])
def test_a_single_pair_and_equal_texts_only_have_no_loss_and_no_gradient(ids):
    image, text = torch.randn(2, len(ids), 4, generator=torch.Generator().manual_seed(1))
    image.requires_grad_()
    tau = torch.tensor(0.07, requires_grad=True)
    loss = info_nce(image, text, tau, torch.tensor(ids))
    loss.backward()
    assert loss.item() == 0
    assert image.grad.abs().max() == 0
    assert tau.grad == 0


def test_gradients_are_right_and_reach_the_temperature():
    generator = torch.Generator().manual_seed(2)
    image, text = (torch.randn(4, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    tau = torch.tensor(0.3, dtype=torch.float64)
    inputs = [value.requires_grad_() for value in (image, text, tau)]
    assert torch.autograd.gradcheck(lambda *v: info_nce(*v, torch.tensor([0, 1, 0, 2])), inputs)


def test_length_does_not_matter_and_small_temperatures_stay_finite():
    image = torch.eye(3) * 1e3
    assert info_nce(image, torch.eye(3) * 1e-3, 0.07) == info_nce(torch.eye(3), torch.eye(3), 0.07)
    wrong = info_nce(image, torch.eye(3).roll(1, 0), 1e-4)
    assert wrong.item() == pytest.approx(1e4)


def test_autocast_and_half_precision_are_left_for_fp32():
    vectors = torch.randn(3, 8, generator=torch.Generator().manual_seed(3))
    plain = scaled_cosines(vectors.bfloat16(), vectors, 0.07)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = scaled_cosines(vectors.bfloat16(), vectors, 0.07)
    assert mixed.dtype == torch.float32
    assert torch.equal(plain, mixed)
