"""Features of images: from the cache where it has them, from the frozen vision tower where not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.load import load_mllm
from zerosight.backbones.mllm.model import Mllm
from zerosight.models.llava_radz.folder import load_model
from zerosight.train.ahead import Look
from zerosight.train.array_cache import ArrayCache
from zerosight.train.config import CacheConfig
from zerosight.train.radz.samples import Pair


class FeatureSource:
    """Joins the vision tower and its cache.

    Args:
        mllm: Its ``see`` is the tower.
        cache: Where and how features are kept; without a folder the tower runs on every batch.

    Raises:
        CacheError: The cache's folder cannot be made.
    """

    def __init__(self, mllm: Mllm, cache: CacheConfig) -> None:
        self.mllm = mllm
        self.arrays: ArrayCache | None = None
        self.shape: tuple[int, ...] = ()
        if cache.folder is not None:
            side = mllm.preprocess.size
            self.shape = tuple(mllm.see(torch.zeros(1, side, side, 3, dtype=torch.uint8)).shape[1:])
            length, limit = int(np.prod(self.shape)), cache.max_bytes
            self.arrays = ArrayCache(cache.folder, mllm.tower_fingerprint, length, cache.dtype, limit)

    def lookup(self, key: str) -> Float[Tensor, "token vision"] | None:
        """Return what the tower saw of one image, if it is kept."""
        numbers = self.arrays.get(key) if self.arrays else None
        return None if numbers is None else numbers.view(self.shape)

    def features(self, pairs: list[Pair]) -> Float[Tensor, "batch token vision"]:
        """Return what the tower saw of some pairs, looking at and keeping what the cache lacked.

        It comes on the CPU, in the precision of the cache or of the tower, as a large batch of it is large.
        """
        missing = [pair for pair in pairs if pair.seen is None]
        looked = iter(self._look(missing) if missing else ())
        rows = [next(looked) if pair.seen is None else pair.seen for pair in pairs]
        with torch.autocast("cpu", enabled=False):  # which knows no stack of float16
            return torch.stack(rows)

    def _look(self, pairs: list[Pair]) -> list[Float[Tensor, "token vision"]]:
        pixels = torch.from_numpy(np.stack([pair.pixels for pair in pairs if pair.pixels is not None]))
        rows = list(self.mllm.see(pixels).cpu())
        if self.arrays is None:
            return rows
        for pair, row in zip(pairs, rows, strict=True):
            self.arrays.put(pair.key, row.flatten())
        return [row.to(self.arrays.torch_dtype) for row in rows]  # as it would come back from the cache


@dataclass(frozen=True, slots=True)
class VisionTower:
    """The vision tower of the model to begin with, for machines that fill the cache.

    Args:
        start: A LLaVA-RadZ, or
        mllm: a language model.
    """

    start: str | None
    mllm: MllmConfig | None

    def open(self, device: str) -> Look:
        """Load it onto a device; the rest of the model stays where it is."""
        mllm = load_mllm(self.mllm) if self.mllm is not None else load_model(self.start or "").model.mllm
        mllm.tower.to(device)
        return Look(
            mllm.fingerprint,
            mllm.preprocess,
            lambda pixels: [row.flatten() for row in mllm.see(pixels).cpu()],
        )
