"""Cached gradients are those of one large batch, in the memory of a chunk."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch import nn

from zerosight.errors import DataError
from zerosight.models.llava_radz.dfat import info_nce
from zerosight.train.radz.gradient_cache import cached_backward

BATCH, WIDTH = 12, 16


class Towers(nn.Module):
    """Two towers with dropout, and a temperature that only the loss uses."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = (nn.Linear(WIDTH, 32), nn.GELU(), nn.Dropout(dropout), nn.Linear(32, 8))
        self.image = nn.Sequential(*layers)
        self.text = nn.Sequential(nn.Linear(WIDTH, 32), nn.Dropout(dropout), nn.Tanh(), nn.Linear(32, 8))
        self.log_temperature = nn.Parameter(torch.tensor(-1.5))

    def encode(self, chunk: torch.Tensor) -> tuple[torch.Tensor, ...]:
        image, text = chunk.unbind(1)
        return self.image(image), self.text(text)

    def loss(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        return info_nce(image, text, self.log_temperature.exp())

    def gradients(self) -> list[torch.Tensor]:
        return [parameter.grad for parameter in self.parameters()]


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.randn(BATCH, 2, WIDTH, generator=torch.Generator().manual_seed(1))


def in_one_graph(towers: Towers, chunks: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Go backward through all chunks together, drawing random numbers chunk by chunk."""
    encoded = [towers.encode(chunk) for chunk in chunks]
    loss = towers.loss(*(torch.cat(parts) for parts in zip(*encoded, strict=True)))
    loss.backward()
    return loss.detach()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("size", [1, 5, BATCH])
def test_gradients_are_those_of_the_whole_batch(batch, size, dropout):
    plain, cached = Towers(dropout), Towers(dropout)
    chunks = batch.split(size)
    torch.manual_seed(2)
    expected = in_one_graph(plain, chunks)
    after = torch.rand(3)
    torch.manual_seed(2)
    found = cached_backward(chunks, cached.encode, cached.loss)
    assert torch.equal(after, torch.rand(3))  # the second pass leaves no trace in the random numbers
    assert not found.requires_grad
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)
    for ours, theirs in zip(cached.gradients(), plain.gradients(), strict=True):
        assert (ours - theirs).abs().max() < 1e-6


def test_without_dropout_the_chunks_do_not_matter(batch):
    plain, cached = Towers(0), Towers(0)
    plain.loss(*plain.encode(batch)).backward()
    cached_backward(batch.split(5), cached.encode, cached.loss)
    for ours, theirs in zip(cached.gradients(), plain.gradients(), strict=True):
        assert (ours - theirs).abs().max() < 1e-6


def test_gradients_add_up_over_calls(batch):
    towers = Towers(0)
    cached_backward(batch.split(4), towers.encode, towers.loss)
    once = [gradient.clone() for gradient in towers.gradients()]
    cached_backward(batch.split(4), towers.encode, towers.loss)
    for both, one in zip(towers.gradients(), once, strict=True):
        assert torch.allclose(both, 2 * one, atol=1e-6)


class Live:
    """Counts the numbers that graphs of the encoders hold for their backward passes, and the most at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def keep(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        held = Held([tensor])
        self._add(tensor.numel())
        weakref.finalize(held, self._add, -tensor.numel())
        return held

    def _add(self, numbers: int) -> None:
        self.now += numbers
        self.most = max(self.most, self.now)


class Held(list):
    """A list that can be referred to weakly."""


def most_held(batch: torch.Tensor, size: int) -> int:
    towers, live = Towers(0.5), Live()

    def encode(chunk):
        with torch.autograd.graph.saved_tensors_hooks(live.keep, lambda held: held[0]):
            return towers.encode(chunk)

    cached_backward(batch.split(size), encode, towers.loss)
    assert live.now == 0
    return live.most


def test_memory_is_that_of_one_chunk():
    generator = torch.Generator().manual_seed(3)
    few, many = (torch.randn(count, 2, WIDTH, generator=generator) for count in (4, 40))
    assert most_held(few, 4) == most_held(many, 4)
    assert most_held(many, 4) < most_held(many, 40) / 3


def test_features_without_graph_or_use_are_no_trouble(batch):
    towers = Towers(0)

    def encode(chunk):
        image, text = towers.encode(chunk)
        return image, text.detach(), image.sum(1)

    cached_backward(batch.split(5), encode, lambda image, text, _unused: towers.loss(image, text))
    assert towers.text[0].weight.grad is None
    assert towers.image[0].weight.grad.abs().max() > 0


def test_an_empty_batch_is_refused():
    with pytest.raises(DataError, match="no chunk"):
        cached_backward([], lambda chunk: (chunk,), lambda feature: feature.sum())
