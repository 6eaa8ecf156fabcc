"""Cached training against the plain published loop: the same losses, step by step."""

from __future__ import annotations

import pytest
import torch

from zerosight.benchmark.vip2clip.plain import plain_loss
from zerosight.benchmark.vip2clip.training import benchmark_training
from zerosight.benchmark.vip2clip.workloads import WORKLOADS
from zerosight.models.vip2clip.losses import training_losses

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def row():
    return benchmark_training(WORKLOADS["tiny"], run_images=20)


def test_fifty_steps_have_the_losses_of_the_plain_loop(row):
    assert row.run_images * 10 / row.batch == 50
    assert row.loss_difference < 1e-4


def test_a_run_is_timed_whole_and_by_its_steps(row):
    assert row.run_speedup == pytest.approx(row.run_plain_seconds / row.run_seconds)
    later = 9 * row.cached_seconds
    assert row.speedup == pytest.approx(10 * row.plain_seconds / (row.first_seconds + later))


def test_gradients_of_every_adapter_are_the_plain_loops():
    model, _ = WORKLOADS["tiny"].build()
    model.requires_grad_(True)
    pixels = torch.randint(0, 256, (3, 48, 48, 3), dtype=torch.uint8, generator=torch.manual_seed(0)).numpy()
    masks = torch.zeros(3, 48, 48, dtype=torch.bool)
    masks[0, 10:20, 10:20] = True
    labels = torch.tensor([1, 0, 0])
    expected = plain_loss(model, pixels, masks, labels)
    gradients = torch.autograd.grad(expected, list(model.parameters()), allow_unused=True)

    from zerosight.backbones.normalise import normalise

    features = model.encoder.encode_image(normalise(torch.from_numpy(pixels), model.encoder.preprocess))
    alignment = model(features)
    maps = model.level_maps(alignment, 48)
    found = training_losses(maps, alignment.image_logits, masks, labels).total
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    ours = torch.autograd.grad(found, list(model.parameters()), allow_unused=True)
    for (name, _), one, two in zip(model.named_parameters(), ours, gradients, strict=True):
        if name == "fgp.key.bias":  # cancels in the softmax: the folded form never touches it
            assert one is None
            assert two.abs().max() < 1e-5
            continue
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-3, msg=name)
