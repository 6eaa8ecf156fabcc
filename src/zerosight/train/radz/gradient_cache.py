"""Gradients of a large contrastive batch in the memory of a small one.

A contrastive loss needs all features of a batch at once, but not all activations:

    1. encode every chunk without a graph            → features of the whole batch
    2. loss of the whole batch on these features     → loss, its gradient with respect to the features
    3. encode every chunk again, with a graph, and go backward with its share of that gradient

The gradients are those of one large batch, at the price of a second forward pass, which a batch of one
chunk is spared. Every chunk is encoded with the same random numbers both times, so dropout agrees with
itself. Layers that mix samples of a batch (batch norm in training mode) see chunks.
Source: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.errors import DataError

C = TypeVar("C")


@dataclass(frozen=True, slots=True, eq=False)
class RandomState:
    """State of the random numbers of the CPU and of the GPU in use, if any."""

    cpu: Tensor
    cuda: Tensor | None

    @classmethod
    def now(cls, device: torch.device) -> RandomState:
        """Return the present state."""
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        return cls(torch.get_rng_state(), cuda)

    @contextmanager
    def again(self, device: torch.device) -> Iterator[None]:
        """Draw the same random numbers once more; those drawn afterwards are as if nothing had happened."""
        before = RandomState.now(device)
        self._set(device)
        try:
            yield
        finally:
            before._set(device)

    def _set(self, device: torch.device) -> None:
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda, device)


def cached_backward(
    chunks: Sequence[C],
    encode: Callable[[C], tuple[Tensor, ...]],
    loss: Callable[..., Tensor],
    device: torch.device | None = None,
) -> Float[Tensor, ""]:
    """Add the gradients of a whole batch to all parameters, in the memory of one chunk; return its loss.

    Args:
        chunks: Parts of the batch in their order, at least one; read twice.
        encode: From a chunk to its features, each with the chunk's samples along its first axis.
        loss: From the features of the whole batch, an argument each, to a number. Its own parameters, such
            as a temperature, get gradients too. It may gather features from other processes.
        device: Where ``encode`` draws random numbers; the CPU if not given.

    Returns:
        The loss, without a graph.

    Raises:
        DataError: There is no chunk.
    """
    if not chunks:
        raise DataError("the batch holds no chunk: give at least one")
    if len(chunks) == 1:
        whole = loss(*encode(chunks[0]))
        whole.backward()
        return whole.detach()
    place = device or torch.device("cpu")
    states, encoded = [], []
    with torch.no_grad():
        for chunk in chunks:
            states.append(RandomState.now(place))
            encoded.append(encode(chunk))
    torch.clear_autocast_cache()  # before torch 2.10 its copies of weights, made without a graph, would stay
    features = [torch.cat(parts).requires_grad_() for parts in zip(*encoded, strict=True)]
    sizes = [len(parts[0]) for parts in encoded]
    del encoded
    value = loss(*features)
    value.backward()
    shares = list(zip(*(_gradient(feature).split(sizes) for feature in features), strict=True))
    del features
    value = value.detach()
    for chunk, state, gradients in zip(chunks, states, shares, strict=True):
        with state.again(place):
            again = encode(chunk)
        _backward(again, gradients)
    return value


def _gradient(feature: Tensor) -> Tensor:
    """Return the gradient of a feature; zeros if the loss does not use it."""
    return torch.zeros_like(feature) if feature.grad is None else feature.grad


def _backward(features: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
    """Go backward from the features that have a graph."""
    pairs = [(f, g) for f, g in zip(features, gradients, strict=True) if f.requires_grad]
    if pairs:
        torch.autograd.backward([f for f, _ in pairs], [g for _, g in pairs])
