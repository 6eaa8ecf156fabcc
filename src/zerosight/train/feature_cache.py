"""Outputs of a frozen encoder on disk, so that later epochs cost only prompts and heads.

One file per image, named by the hash of the image file's bytes, in a folder named by the encoder's
fingerprint: another picture, backbone or preprocessing never meets a stale entry. A file is a checksum and
the numbers; it is written aside and renamed, so that runs which share the folder never see a part of one.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures
from zerosight.errors import CacheError, OutputError
from zerosight.files import write_atomically

SUFFIX = ".features"
CHECKSUM_BYTES = 4


class FeatureCache:
    """A bounded folder of image features.

    When it is full, entries that no run has used since this one began make room, the oldest first; if there
    are none, new features are not kept. (Evicting what this run will read again would turn a cache that is a
    little too small into one that never hits.)

    Args:
        folder: Shared by any number of runs.
        encoder: Its fingerprint, widths and grid decide what an entry is.
        dtype: Precision on disk.
        max_bytes: Size that all entries of the folder together do not exceed.

    Raises:
        CacheError: The folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        encoder: DualEncoder,
        dtype: Literal["float16", "float32"] = "float16",
        max_bytes: int = 20 * 2**30,
    ) -> None:
        self.root = folder
        self.folder = folder / f"{encoder.fingerprint}-{encoder.preprocess.size}-{dtype}"
        self.dtype = np.dtype(dtype)
        self.max_bytes = max_bytes
        self.dim = encoder.dim
        self.shape = (encoder.levels, encoder.grid**2, encoder.dim)
        self.started = time.time()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(f"{folder}: the feature cache cannot be made ({error.strerror})") from None
        self.used = sum(size for _, _, size in self._entries())

    @property
    def entry_bytes(self) -> int:
        """Size of one entry."""
        return CHECKSUM_BYTES + self.dtype.itemsize * (self.dim + int(np.prod(self.shape)))

    def get(self, key: str) -> ImageFeatures | None:
        """Return the features of one image (batch of 1, in the cache's precision).

        None if there is no entry or a damaged one.
        """
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        payload = memoryview(content)[CHECKSUM_BYTES:]
        checksum = int.from_bytes(content[:CHECKSUM_BYTES], "little")
        if len(content) != self.entry_bytes or zlib.crc32(payload) != checksum:
            return None
        numbers = torch.frombuffer(bytearray(payload), dtype=_TORCH[self.dtype.name])
        patches = numbers[self.dim :].view(self.shape[0], 1, *self.shape[1:])
        return ImageFeatures(numbers[None, : self.dim], patches)

    def put(self, key: str, features: ImageFeatures) -> None:
        """Keep the features of one image (batch of 1) if there is room; a full disk is no error."""
        if not self._make_room():
            return
        numbers = torch.cat([features.pooled.flatten(), features.patches.flatten()])
        payload = numbers.cpu().numpy().astype(self.dtype).tobytes()
        content = zlib.crc32(payload).to_bytes(CHECKSUM_BYTES, "little") + payload
        with contextlib.suppress(OutputError):
            write_atomically(self._path(key), content)
            self.used += len(content)

    def round(self, features: ImageFeatures) -> ImageFeatures:
        """Return features as they would come back from the cache, so that hits and misses train alike."""
        dtype = _TORCH[self.dtype.name]
        return ImageFeatures(features.pooled.to(dtype), features.patches.to(dtype))

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / (key + SUFFIX)

    def _make_room(self) -> bool:
        if self.used + self.entry_bytes <= self.max_bytes:
            return True
        entries = sorted(self._entries())
        self.used = sum(size for _, _, size in entries)
        for modified, path, size in entries:
            if self.used + self.entry_bytes <= self.max_bytes or modified >= self.started:
                break
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            self.used -= size
        return self.used + self.entry_bytes <= self.max_bytes

    def _entries(self) -> list[tuple[float, Path, int]]:
        found = []
        for path in self.root.glob(f"*/*/*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found.append((stat.st_mtime, path, stat.st_size))
        return found


_TORCH = {"float16": torch.float16, "float32": torch.float32}
