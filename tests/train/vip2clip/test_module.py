"""The moving average of the weights, beside a loop, and the rates of a schedule."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from zerosight.backbones.tiny import tiny_encoder
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.vip2clip.features import FeatureSource
from zerosight.train.vip2clip.module import Vip2ClipTraining
from zerosight.train.vip2clip.samples import Batch

STEPS = 6


def module(**settings: object) -> Vip2ClipTraining:
    encoder = tiny_encoder(0, 32)
    return Vip2ClipTraining(Vip2Clip(encoder), FeatureSource(encoder), 1e-3, 1e-5, **settings)


@pytest.mark.parametrize("decay", [0.3, 0.9])
def test_the_average_begins_with_the_first_step_and_slows_down_to_its_decay(decay):
    training = module(average=decay)
    weight = next(training.model.parameters())
    expected = torch.zeros_like(weight)
    for step in range(STEPS):
        with torch.no_grad():
            weight.copy_(torch.full_like(weight, float(step**2)))
        kept = 0.0 if step == 0 else min(decay, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * weight.detach()
        training.on_train_batch_end(None, Batch([]), step)
    assert not any(value.requires_grad for value in training.average.parameters())
    training.finished_model()
    torch.testing.assert_close(weight.detach(), expected)


def test_without_an_average_the_last_weights_are_kept_and_nothing_more_is_saved():
    training = module()
    training.on_train_batch_end(None, Batch([]), 0)
    assert training.finished_model() is training.model
    assert all(name.startswith("model.") for name in training.state_dict())


def test_the_cosine_falls_from_both_rates_to_nothing():
    training = module(schedule="cosine")
    training._trainer = SimpleNamespace(estimated_stepping_batches=STEPS)
    made = training.configure_optimizers()
    optimiser, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    for step in range(STEPS + 1):
        factor = 0.5 * (1 + math.cos(math.pi * step / STEPS))
        assert schedule.get_last_lr() == pytest.approx([1e-3 * factor, 1e-5 * factor], abs=1e-12)
        optimiser.step()
        schedule.step()
