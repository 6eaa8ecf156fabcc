"""Auxiliary data for training: what one step needs of each image."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from zerosight.backbones.dual_encoder import ImageFeatures
from zerosight.data.manifest import Dataset as Images
from zerosight.data.manifest import called, select
from zerosight.data.masks import read_anomaly_mask
from zerosight.data.pixels import read_image
from zerosight.errors import DataError
from zerosight.preprocess import Preprocess
from zerosight.train.array_cache import ImageKeys


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of the auxiliary data; a normal one has no mask."""

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


def read_samples(datasets: Sequence[Images], splits: tuple[str, ...]) -> list[Sample]:
    """Return the labelled images of some splits of some data sets.

    Raises:
        DataError: A manifest is bad, or an anomalous image has no mask.
    """
    samples = []
    for dataset in datasets:
        for record in select(dataset.records(), splits):
            if record.label is None:
                continue
            if record.label == 1 and record.mask is None:
                raise DataError(
                    f"{called(dataset)}: {record.image} is anomalous but has no mask; training needs one"
                )
            mask = dataset.resolve(record.mask) if record.mask else None
            samples.append(
                Sample(dataset.resolve(record.image), mask, dataset.header.mask_threshold, record.label)
            )
    return samples


def hold_both_kinds(samples: list[Sample]) -> bool:
    """Return whether there are normal and anomalous images, without which no threshold can be chosen."""
    return len({sample.label for sample in samples}) == 2


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
        self._keys = ImageKeys()
        self._masks: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, at: tuple[int, int]) -> Item:
        """Return one item.

        Raises:
            ImageReadError: The image cannot be read.
            DataError: The image is not there, or its mask is of another size, empty or unreadable.
        """
        epoch, index = at
        sample = self.samples[index]
        key = self._keys[sample.image]
        features = self.lookup(key) if self.augment_seed is None else None
        checked = sample.mask is None or index in self._masks
        image = read_image(sample.image) if features is None or not checked else None
        if image is not None and sample.mask is not None and not checked:
            mask = read_anomaly_mask(sample.mask, sample.mask_threshold, (image.height, image.width))
            self._masks[index] = np.packbits(self.preprocess.mask(mask))
        mask = self._mask(index)
        if features is not None or image is None:
            return Item(key, features, None, mask, sample.label)
        pixels = self.preprocess.pixels(image)
        if self.augment_seed is not None:
            pixels, mask = _turn(pixels, mask, random.Random(f"{self.augment_seed}/{epoch}/{index}"))
        return Item(key, None, pixels, mask, sample.label)

    def _mask(self, index: int) -> Bool[np.ndarray, "size size"]:
        size = self.preprocess.size
        if index not in self._masks:
            return np.zeros((size, size), bool)
        return np.unpackbits(self._masks[index], count=size * size).reshape(size, size).astype(bool)


def _turn(
    pixels: UInt8[np.ndarray, "size size 3"], mask: Bool[np.ndarray, "size size"], rng: random.Random
) -> tuple[UInt8[np.ndarray, "size size 3"], Bool[np.ndarray, "size size"]]:
    turns, flip = rng.randrange(4), rng.random() < 0.5
    pixels, mask = np.rot90(pixels, turns), np.rot90(mask, turns)
    if flip:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(pixels), np.ascontiguousarray(mask)
