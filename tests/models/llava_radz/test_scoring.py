"""Scores against their definitions; "no finding" is negated exactly once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from zerosight.models.llava_radz.anchors import Anchors
from zerosight.models.llava_radz.scoring import finding_scores

TAU = 0.2
NAMES = ("edema", "no finding", "hernia")


def unit(*shape: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.fixture
def anchors() -> Anchors:
    normal = unit(6, seed=0)
    presence = unit(3, 6, seed=1)
    presence[1] = normal  # as the anchors' builder makes it
    return Anchors(NAMES, presence, unit(3, 6, seed=2), normal, provenance="train-only", key="test")


def softmax_first(first: float, second: float) -> float:
    a, b = np.exp(first / TAU), np.exp(second / TAU)
    return a / (a + b)


def test_cosines_are_cosines(anchors):
    image = unit(4, 6, seed=3)
    expected = F.cosine_similarity(image[:, None], anchors.presence[None], dim=-1)
    assert torch.allclose(finding_scores(5 * image, anchors, "cosine", TAU), expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["vs-normal", "pos-neg"])
def test_contrasts_are_a_softmax_over_two(anchors, mode):
    image = unit(4, 6, seed=3)
    found = finding_scores(image, anchors, mode, TAU)
    for i, z in enumerate(image):
        for c, name in enumerate(NAMES):
            against_normal = mode == "vs-normal" and name != "no finding"
            other = anchors.normal if against_normal else anchors.absence[c]
            expected = softmax_first(float(z @ anchors.presence[c]), float(z @ other))
            assert found[i, c].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("mode", ["cosine", "vs-normal", "pos-neg"])
def test_no_finding_is_high_on_normal_images_and_low_on_abnormal_ones(anchors, mode):
    images = torch.stack([anchors.normal, anchors.absence[1]])
    normal, abnormal = finding_scores(images, anchors, mode, TAU)[:, 1]
    assert normal > 0.5 > abnormal


def test_no_finding_scores_alike_in_both_contrasts_and_in_any_spelling(anchors):
    image = unit(4, 6, seed=3)
    by_mode = [finding_scores(image, anchors, mode, TAU)[:, 1] for mode in ("vs-normal", "pos-neg")]
    assert torch.equal(*by_mode)
    spelt = replace(anchors, names=("edema", "No_Finding", "hernia"))
    assert torch.equal(finding_scores(image, spelt, "vs-normal", TAU)[:, 1], by_mode[0])


def test_probabilities_keep_their_order_where_fp32_would_be_all_ones(anchors):
    close = torch.stack([anchors.presence[0], anchors.presence[0] + 0.01 * anchors.absence[0]])
    first, second = finding_scores(close, anchors, "pos-neg", 0.03)[:, 0].tolist()
    assert 1 - 1e-6 < second < first < 1


def test_a_batch_is_its_images_and_costs_one_product(anchors):
    images = unit(4, 6, seed=4)
    whole = finding_scores(images, anchors, "pos-neg", TAU)
    single = torch.cat([finding_scores(image[None], anchors, "pos-neg", TAU) for image in images])
    assert torch.allclose(whole, single, atol=1e-6)
    with FlopCounterMode(display=False) as counter:
        finding_scores(images, anchors, "vs-normal", TAU)
    assert counter.get_total_flops() == 2 * 4 * 6 * 3


def test_no_image_gives_no_score(anchors):
    assert finding_scores(torch.empty(0, 6), anchors).shape == (0, 3)
