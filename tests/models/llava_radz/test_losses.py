"""The total of the training loss."""

from __future__ import annotations

import pytest
import torch

from zerosight.errors import ConfigError
from zerosight.models.llava_radz.losses import (
    LossWeights,
    PairFeatures,
    category_loss,
    info_nce,
    radz_losses,
)


@pytest.fixture
def features() -> PairFeatures:
    four = torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.eye(5, 3).bool()
    return PairFeatures(*four, labels=labels, text_ids=torch.tensor([0, 1, 1, 2, 3]))


def test_the_total_is_the_weighted_sum_of_the_terms(features):
    anchors = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    weights = LossWeights(pooled=0.5, local=2, category=3)
    found = radz_losses(features, anchors, 0.07, weights)
    assert found.global_ == info_nce(features.image, features.text, 0.07, features.text_ids)
    assert found.local == info_nce(features.image_local, features.text_local, 0.07, features.text_ids)
    assert found.category == category_loss(features.image, features.text, anchors, features.labels, 0.07)
    assert found.total.item() == pytest.approx(
        0.5 * found.global_.item() + 2 * found.local.item() + 3 * found.category.item()
    )
    plain = radz_losses(features, anchors, 0.07)
    assert plain.total.item() == pytest.approx((plain.global_ + plain.local + plain.category).item())


def test_a_term_without_weight_pulls_nothing(features):
    features.image_local.requires_grad_()
    radz_losses(features, torch.eye(3, 8), 0.07, LossWeights(local=0)).total.backward()
    assert features.image_local.grad.abs().max() == 0


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_weights_are_not_negative_and_finite(value):
    with pytest.raises(ConfigError, match="category"):
        LossWeights.parse({"category": value})
