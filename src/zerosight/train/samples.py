"""Auxiliary data for training: what one step needs of each image."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from zerosight.backbones.dual_encoder import ImageFeatures
from zerosight.data.manifest import read_manifest, select
from zerosight.data.masks import read_mask
from zerosight.data.pixels import read_image
from zerosight.errors import DataError
from zerosight.files import sha256
from zerosight.preprocess import Preprocess


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of the auxiliary data."""

    image: Path
    mask: Path | None
    mask_threshold: int
    label: int


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One image as a step sees it: cached features, or pixels to compute them from."""

    key: str
    features: ImageFeatures | None
    pixels: UInt8[np.ndarray, "size size 3"] | None
    mask: Bool[np.ndarray, "size size"]
    label: int


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Items of one step."""

    items: list[Item]

    @property
    def masks(self) -> Bool[Tensor, "batch size size"]:
        """Defect masks at the model's size."""
        return torch.from_numpy(np.stack([item.mask for item in self.items]))

    @property
    def labels(self) -> Int[Tensor, "batch"]:
        """0 normal, 1 anomalous."""
        return torch.tensor([item.label for item in self.items])


def read_samples(manifests: tuple[Path, ...], splits: tuple[str, ...]) -> list[Sample]:
    """Return the labelled images of some splits of some manifests.

    Raises:
        DataError: A manifest is bad, or an anomalous image has no mask.
    """
    samples = []
    for path in manifests:
        manifest = read_manifest(path)
        for record in select(manifest.records(), splits):
            if record.label is None:
                continue
            if record.label == 1 and record.mask is None:
                raise DataError(f"{path}: {record.image} is anomalous but has no mask; training needs one")
            mask = manifest.resolve(record.mask) if record.mask else None
            samples.append(
                Sample(manifest.resolve(record.image), mask, manifest.header.mask_threshold, record.label)
            )
    return samples


class AuxiliaryData(Dataset[Item]):
    """Samples by (epoch, index).

    Args:
        samples: The images.
        preprocess: The backbone's constants.
        lookup: Returns cached features by key, or None.
        augment_seed: Seed of random flips and quarter turns; None for none.
    """

    def __init__(
        self,
        samples: list[Sample],
        preprocess: Preprocess,
        lookup: Callable[[str], ImageFeatures | None],
        augment_seed: int | None = None,
    ) -> None:
        self.samples = samples
        self.preprocess = preprocess
        self.lookup = lookup
        self.augment_seed = augment_seed
        self._keys: dict[int, str] = {}
        self._masks: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, at: tuple[int, int]) -> Item:
        epoch, index = at
        sample = self.samples[index]
        key = self._key(index)
        mask = self._mask(index)
        features = self.lookup(key) if self.augment_seed is None else None
        if features is not None:
            return Item(key, features, None, mask, sample.label)
        pixels = self.preprocess.pixels(read_image(sample.image))
        if self.augment_seed is not None:
            pixels, mask = _turn(pixels, mask, random.Random(f"{self.augment_seed}/{epoch}/{index}"))
        return Item(key, None, pixels, mask, sample.label)

    def _key(self, index: int) -> str:
        if index not in self._keys:
            try:
                self._keys[index] = sha256(self.samples[index].image)
            except OSError as error:
                reason = f"{self.samples[index].image}: cannot be read ({error.strerror})"
                raise DataError(reason) from None
        return self._keys[index]

    def _mask(self, index: int) -> Bool[np.ndarray, "size size"]:
        size = self.preprocess.size
        sample = self.samples[index]
        if sample.mask is None:
            return np.zeros((size, size), bool)
        if index not in self._masks:
            mask = self.preprocess.mask(read_mask(sample.mask, sample.mask_threshold))
            self._masks[index] = np.packbits(mask)
        return np.unpackbits(self._masks[index], count=size * size).reshape(size, size).astype(bool)


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


def _turn(
    pixels: UInt8[np.ndarray, "size size 3"], mask: Bool[np.ndarray, "size size"], rng: random.Random
) -> tuple[UInt8[np.ndarray, "size size 3"], Bool[np.ndarray, "size size"]]:
    turns, flip = rng.randrange(4), rng.random() < 0.5
    pixels, mask = np.rot90(pixels, turns), np.rot90(mask, turns)
    if flip:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(pixels), np.ascontiguousarray(mask)
