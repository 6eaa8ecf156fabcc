from __future__ import annotations

import numpy as np
import pytest
import torch

from zerosight.train.radz.retention import Retention, retention_loss


@pytest.fixture
def seen() -> torch.Tensor:
    """Return what a tower saw of 50 images: 9 tokens, 6 channels of different sizes, the last constant."""
    sizes = torch.tensor([1e-2, 1.0, 3.0, 50.0, 1e3, 0.0])
    noise = torch.randn(50, 9, 6, generator=torch.Generator().manual_seed(0))
    return noise * sizes + 5


def test_the_loss_is_the_mean_squared_error_of_standardised_channels(seen):
    torch.manual_seed(0)
    retention = Retention(8, seen.mean(1))
    cls = torch.randn(50, 2, 4)
    loss = retention_loss(retention.read(cls), retention.target(seen)).detach()

    states = cls.numpy().reshape(50, 8)
    states = (states - states.mean(1, keepdims=True)) / np.sqrt(states.var(1, keepdims=True) + 1e-5)
    read = states @ retention.reader.weight.detach().numpy().T + retention.reader.bias.detach().numpy()
    means = seen.numpy().mean(1)
    target = (means - means.mean(0)) / np.maximum(means.std(0), 1e-4)
    assert float(loss) == pytest.approx(((read - target) ** 2).mean(), rel=1e-4)


def test_states_that_know_nothing_lose_one_and_states_that_know_all_nothing(seen):
    retention = Retention(6, seen.mean(1))
    target = retention.target(seen)
    varied = target[:, :5]
    assert float(retention_loss(torch.zeros_like(varied), varied)) == pytest.approx(1, abs=1e-4)
    assert float(retention_loss(target, target)) == 0


def test_gradients_reach_the_states(seen):
    cls = torch.randn(50, 2, 4, requires_grad=True)
    retention = Retention(8, seen.mean(1))
    retention_loss(retention.read(cls), retention.target(seen)).backward()
    assert float(cls.grad.abs().sum(dim=(1, 2)).min()) > 0
