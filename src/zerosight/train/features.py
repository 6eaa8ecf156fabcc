"""Features of a batch: from the cache where it has them, from the frozen tower where not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures
from zerosight.backbones.normalise import normalise
from zerosight.train.feature_cache import FeatureCache
from zerosight.train.samples import Batch, Item


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

    @torch.no_grad()
    def _compute(self, items: list[Item], device: torch.device) -> list[ImageFeatures]:
        pixels = torch.from_numpy(np.stack([item.pixels for item in items if item.pixels is not None]))
        found = self.encoder.encode_image(normalise(pixels.to(device), self.encoder.preprocess))
        parts = [
            ImageFeatures(found.pooled[i : i + 1], found.patches[:, i : i + 1]).to("cpu")
            for i in range(len(items))
        ]
        if self.cache is None:
            return parts
        for item, part in zip(items, parts, strict=True):
            self.cache.put(item.key, part)
        return [self.cache.round(part) for part in parts]
