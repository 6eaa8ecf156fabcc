"""Ahead of training: what a cache of features lacks, computed elsewhere before the first step.

In a first epoch the tower sees, of some images together, those that the cache lacks. Here the same images go
together, so that on a CPU every bit that is kept is one that training itself would have kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from zerosight.preprocess import Preprocess
from zerosight.train.array_cache import ArrayCache, ImageKeys
from zerosight.train.sampling import EpochSampler

Together = list[tuple[str, Path]]
"""Images that the tower sees at once, by the names of their entries."""
NO_CACHE = "features can be computed elsewhere for a cache alone: give --cache FOLDER"
_NARROW = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True, slots=True)
class Look:
    """A tower that is loaded.

    Attributes:
        fingerprint: Changes with its weights and its input.
        preprocess: Of its input.
        at: Returns the numbers of some images.
    """

    fingerprint: str
    preprocess: Preprocess
    at: Callable[[UInt8[Tensor, "batch size size 3"]], list[Float[Tensor, "length"]]]


@runtime_checkable
class Tower(Protocol):
    """A frozen tower, such that any machine can load it."""

    def open(self, device: str) -> Look:
        """Load it onto a device.

        Raises:
            ZerosightError: It is not to be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be computed.

    Attributes:
        tower: Who does.
        fingerprint: Of the same tower, here.
        dtype: Precision of the cache.
        precision: Of the arithmetic, by Lightning's name.
    """

    tower: Tower
    fingerprint: str
    dtype: torch.dtype
    precision: str

    def compute(
        self, look: Look, pixels: UInt8[Tensor, "batch size size 3"], device: str
    ) -> Float[Tensor, "batch length"]:
        """Return the numbers of some images as the cache keeps them."""
        with torch.autocast(device, _NARROW.get(self.precision), self.precision in _NARROW):
            rows = look.at(pixels)
        return torch.stack([row.cpu() for row in rows]).to(self.dtype)


Elsewhere = Callable[[Wanted, Iterator[Together]], Iterator[tuple[Together, Tensor]]]
"""Yields images with their numbers, in order."""


def fill(arrays: ArrayCache, wanted: Wanted, epoch: Iterable[list[Path]], elsewhere: Elsewhere) -> int:
    """Fill a cache with what it lacks; what came before an error stays.

    Args:
        arrays: The cache.
        wanted: What is to be computed.
        epoch: All images, as the tower would see them together.
        elsewhere: Who has it computed.

    Returns:
        How many images were looked at.

    Raises:
        DataError: An image is not there.
        ImageReadError: One cannot be read.
        ZerosightError: As ``elsewhere``.
    """
    rest = lacking(arrays, epoch)
    first = next(rest, None)
    if first is None:
        return 0
    count = 0
    for together, rows in elsewhere(wanted, chain([first], rest)):
        for (key, _), row in zip(together, rows, strict=True):
            arrays.put(key, row)
        count += len(together)
    return count


def lacking(arrays: ArrayCache, epoch: Iterable[list[Path]]) -> Iterator[Together]:
    """Yield of images together those that have no entry, and were not together with others before."""
    keys, known = ImageKeys(), set[str]()
    for images in epoch:
        named = [(keys[image], image) for image in images]
        missing = [(key, image) for key, image in named if key not in known and arrays.get(key) is None]
        known.update(key for key, _ in named)
        if missing:
            yield missing


def first_looks(
    train: Sequence[Path], held_out: Sequence[Path], batch_size: int, seed: int, micro: int | None = None
) -> Iterator[list[Path]]:
    """Yield images as the tower sees them together in a first epoch: those of training, then those held out.

    Args:
        train: Those of training, in the order of the data.
        held_out: Those held out, which are not shuffled.
        batch_size: Of training.
        seed: Of the shuffling.
        micro: How many of a batch are seen at once; None is all.
    """
    yield from first_epoch(train, batch_size, seed, micro)
    yield from first_epoch(held_out, batch_size, None, micro)


def first_epoch(
    images: Sequence[Path], batch_size: int, seed: int | None, micro: int | None = None
) -> Iterator[list[Path]]:
    """Yield images as the tower sees them together in a first epoch.

    Args:
        images: In the order of the data.
        batch_size: Of training.
        seed: Of the shuffling; None keeps the order.
        micro: How many of a batch are seen at once; None is all.
    """
    order = [index for _, index in EpochSampler(len(images), seed)]
    for at in range(0, len(order), batch_size):
        batch = order[at : at + batch_size]
        step = micro or batch_size
        for part in range(0, len(batch), step):
            yield [images[index] for index in batch[part : part + step]]
