"""Losses against loops written from the paper's text."""

from __future__ import annotations

import math

import pytest
import torch

from zerosight.models.vip2clip.losses import dice, focal, training_losses


@pytest.fixture
def case() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 3, 5, 4, generator=generator, dtype=torch.float64)
    return maps, torch.rand(3, 5, 4, generator=generator) > 0.7


def test_focal_equals_a_loop(case):
    maps, masks = case
    found = focal(maps, masks.to(maps.dtype).expand_as(maps))
    for level in range(2):
        values = []
        for p, is_anomalous in zip(maps[level].flatten().tolist(), masks.flatten().tolist(), strict=True):
            one_hot = [min(max(float(c == is_anomalous), 1e-5), 1 - 1e-5) for c in (0, 1)]
            probability = one_hot[0] * (1 - p) + one_hot[1] * p + 1e-5
            values.append(-((1 - probability) ** 2) * math.log(probability))
        assert float(found[level]) == pytest.approx(sum(values) / len(values), abs=1e-12)


def test_dice_equals_a_loop(case):
    maps, masks = case
    found = dice(maps, masks.to(maps.dtype).expand_as(maps))
    for level in range(2):
        values = []
        for image in range(3):
            p, g = maps[level, image], masks[image].double()
            values.append(1 - float((2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1)))
        assert float(found[level]) == pytest.approx(sum(values) / 3, abs=1e-12)


def test_perfect_maps_cost_almost_nothing_and_inverted_ones_a_lot(case):
    _, masks = case
    labels = torch.tensor([1, 1, 1])
    perfect = masks.double().expand(2, -1, -1, -1)
    logits = torch.tensor([[-20.0, 20.0]]).repeat(3, 1)
    assert training_losses(perfect, logits, masks, labels).total < 1e-3
    assert training_losses(1 - perfect, -logits, masks, labels).total > 10


def test_an_empty_mask_and_an_empty_map_are_finite():
    zeros = torch.zeros(1, 2, 4, 4)
    losses = training_losses(
        zeros, torch.zeros(2, 2), torch.zeros(2, 4, 4, dtype=torch.bool), torch.tensor([0, 0])
    )
    assert float(losses.total) == pytest.approx(math.log(2), abs=1e-4)
