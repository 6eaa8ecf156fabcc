"""Features of images: from the cache where it has them, from the frozen towers where not.

Cached features lie in a folder named by the encoder's fingerprint: another picture, backbone or preprocessing
never meets a stale one. Later epochs then cost only prompts and heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from zerosight.backbones.build import build_encoder
from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures
from zerosight.backbones.normalise import normalise
from zerosight.train.ahead import Look
from zerosight.train.array_cache import DEFAULT_BYTES, ArrayCache, Dtype
from zerosight.train.vip2clip.samples import Batch, Item


class FeatureCache:
    """A bounded folder of image features.

    Args:
        folder: Shared by any number of runs.
        encoder: Its fingerprint, widths and grid decide what an entry is.
        dtype: Precision on disk.
        max_bytes: Size that all entries of the folder together do not exceed.

    Raises:
        CacheError: The folder cannot be made.
    """

    def __init__(
        self, folder: Path, encoder: DualEncoder, dtype: Dtype = "float16", max_bytes: int = DEFAULT_BYTES
    ) -> None:
        self.dim = encoder.dim
        self.shape = (encoder.levels, encoder.grid**2, encoder.dim)
        length = self.dim + self.shape[0] * self.shape[1] * self.shape[2]
        name = f"{encoder.fingerprint}-{encoder.preprocess.size}"
        self.arrays = ArrayCache(folder, name, length, dtype, max_bytes)

    def get(self, key: str) -> ImageFeatures | None:
        """Return the features of one image (batch of 1, in the cache's precision).

        None if there is no entry or a damaged one.
        """
        numbers = self.arrays.get(key)
        if numbers is None:
            return None
        patches = numbers[self.dim :].view(self.shape[0], 1, *self.shape[1:])
        return ImageFeatures(numbers[None, : self.dim], patches)

    def put(self, key: str, features: ImageFeatures) -> None:
        """Keep the features of one image (batch of 1) if there is room; a full disk is no error."""
        self.arrays.put(key, flat(features))

    def round(self, features: ImageFeatures) -> ImageFeatures:
        """Return features as they would come back from the cache, so that hits and misses train alike."""
        dtype = self.arrays.torch_dtype
        return ImageFeatures(features.pooled.to(dtype), features.patches.to(dtype))


@dataclass(frozen=True, slots=True)
class FeatureSource:
    """Joins the encoder and its cache.

    Args:
        encoder: The frozen towers.
        cache: None runs the tower on every batch.
    """

    encoder: DualEncoder
    cache: FeatureCache | None = None

    def lookup(self, key: str) -> ImageFeatures | None:
        """Return cached features of one image."""
        return self.cache.get(key) if self.cache else None

    def features(self, batch: Batch, device: torch.device) -> ImageFeatures:
        """Return the features of a batch in fp32, computing and keeping what the cache lacked."""
        missing = [item for item in batch.items if item.pixels is not None]
        computed = iter(self._compute(missing, device) if missing else ())
        parts = [item.features or next(computed) for item in batch.items]
        return ImageFeatures(
            torch.cat([part.pooled for part in parts]), torch.cat([part.patches for part in parts], dim=1)
        ).to(device)

    def _compute(self, items: list[Item], device: torch.device) -> list[ImageFeatures]:
        pixels = torch.from_numpy(np.stack([item.pixels for item in items if item.pixels is not None]))
        parts = look_at(self.encoder, pixels, device)
        if self.cache is None:
            return parts
        for item, part in zip(items, parts, strict=True):
            self.cache.put(item.key, part)
        return [self.cache.round(part) for part in parts]


@dataclass(frozen=True, slots=True)
class EncoderTower:
    """The image tower of a backbone, for machines that fill the cache."""

    backbone: BackboneConfig

    def open(self, device: str) -> Look:
        """Load it onto a device."""
        encoder = build_encoder(self.backbone).to(device)

        def at(pixels: Tensor) -> list[Tensor]:
            return [flat(one) for one in look_at(encoder, pixels, torch.device(device))]

        return Look(encoder.fingerprint, encoder.preprocess, at)


@torch.no_grad()
def look_at(
    encoder: DualEncoder, pixels: UInt8[Tensor, "batch size size 3"], device: torch.device
) -> list[ImageFeatures]:
    """Return what the image tower says of some images, each by itself (batch of 1, on the CPU)."""
    found = encoder.encode_image(normalise(pixels.to(device), encoder.preprocess))
    return [
        ImageFeatures(found.pooled[i : i + 1], found.patches[:, i : i + 1]).to("cpu")
        for i in range(len(pixels))
    ]


def flat(features: ImageFeatures) -> Float[Tensor, "length"]:
    """Return the features of one image as the cache keeps them."""
    return torch.cat([features.pooled.flatten(), features.patches.flatten()])
