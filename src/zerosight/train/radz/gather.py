"""Contrastive batches over several processes: all pairs are each other's negatives.

Every process gathers the features of all, computes the loss of the whole batch, and goes backward. What
comes back through :func:`gather_with_grad` is the gradient of the *sum* of the processes' losses. So the
*mean* of the parameters' gradients over processes is the gradient of the whole batch, as one process would
find it; DistributedDataParallel or :func:`average_gradients` takes it. Their numbers of rows may differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor, nn


def gather_with_grad(own: Shaped[Tensor, "own *axes"]) -> Shaped[Tensor, "all *axes"]:
    """Return the rows of all processes, in the order of their ranks; gradients flow back to each one's own.

    Without several processes it returns what it was given.

    Args:
        own: This process's rows, of any type; other axes are the same everywhere.
    """
    if not is_distributed():
        return own
    gathered: Tensor = _Gather.apply(own)
    return gathered


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over all processes, for models not wrapped in DDP.

    A parameter without a gradient counts as zero, as another process may have one.

    Args:
        parameters: Those that are trained, in the same order everywhere.
    """
    if not is_distributed():
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        dist.all_reduce(parameter.grad)
        parameter.grad /= dist.get_world_size()


def is_distributed() -> bool:
    """Return whether several processes work together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class _Gather(torch.autograd.Function):
    """All rows forward; the sum of all processes' gradients of the own rows backward."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        rows = _row_counts(own)
        rank = dist.get_rank()
        ctx.start, ctx.stop = sum(rows[:rank]), sum(rows[: rank + 1])
        sent = own.to(torch.uint8) if own.dtype == torch.bool else own
        padded = sent.new_zeros((max(rows), *own.shape[1:]))
        padded[: len(own)] = sent
        parts = [torch.empty_like(padded) for _ in rows]
        dist.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, rows, strict=True)]).to(own.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[ctx.start : ctx.stop]


def _row_counts(own: Tensor) -> list[int]:
    """Return how many rows every process has."""
    mine = torch.tensor([len(own)], device=own.device)
    counts = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, mine)
    return [int(count) for count in counts]
