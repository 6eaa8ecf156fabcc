"""The order in which training sees its samples, and the batches they come in."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """Shuffles by (seed, epoch) alone, so that a resumed run sees the order it would have seen.

    Args:
        length: Number of samples.
        seed: Of the shuffling; None keeps the order.
        world: Number of processes that share the samples; each gets as many.
    """

    def __init__(self, length: int, seed: int | None, world: int = 1) -> None:
        self.length, self.seed, self.world = length, seed, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; the trainer calls it before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.length / self.world)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rank = torch.distributed.get_rank() if self.world > 1 else 0
        order = list(range(self.length))
        if self.seed is not None:
            random.Random(f"{self.seed}/{self.epoch}").shuffle(order)
        missing = len(self) * self.world - self.length
        for index in (order + order[:missing])[rank :: self.world]:
            yield self.epoch, index


def make_loader(
    data: Dataset[Any],
    sampler: EpochSampler,
    batch_size: int,
    collate: Callable[[list[Any]], Any],
    workers: int = 0,
) -> DataLoader[Any]:
    """Return batches of a data set.

    Args:
        data: Takes the pairs that the sampler yields.
        sampler: The order.
        batch_size: Samples per batch.
        collate: From samples to a batch.
        workers: Processes that read; none reads in this one.
    """
    return DataLoader(
        data,
        batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
    )
