"""Outputs of a frozen encoder on disk, so that later epochs cost only prompts and heads.

Entries lie in a folder named by the encoder's fingerprint: another picture, backbone or preprocessing never
meets a stale one.
"""

from __future__ import annotations

from pathlib import Path

import torch

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures
from zerosight.train.array_cache import ArrayCache, Dtype


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
        self, folder: Path, encoder: DualEncoder, dtype: Dtype = "float16", max_bytes: int = 20 * 2**30
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
        self.arrays.put(key, torch.cat([features.pooled.flatten(), features.patches.flatten()]))

    def round(self, features: ImageFeatures) -> ImageFeatures:
        """Return features as they would come back from the cache, so that hits and misses train alike."""
        dtype = self.arrays.torch_dtype
        return ImageFeatures(features.pooled.to(dtype), features.patches.to(dtype))
