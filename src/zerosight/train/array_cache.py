"""Numbers that a frozen tower says about images, kept on disk.

One file per image, named by the hash of the image file's bytes. A file is a checksum and the numbers; it is
written aside and renamed, so that runs which share the folder never see a part of one.
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
from jaxtyping import Float
from torch import Tensor

from zerosight.errors import CacheError, OutputError
from zerosight.files import write_atomically

SUFFIX = ".features"
CHECKSUM_BYTES = 4

Dtype = Literal["float16", "float32"]


class ArrayCache:
    """A bounded folder of arrays of one length.

    When it is full, entries that no run has used since this one began make room, the oldest first; if there
    are none, new entries are not kept. (Evicting what this run will read again would turn a cache that is a
    little too small into one that never hits.)

    Args:
        root: Shared by any number of runs and towers.
        name: Of the tower and its preprocessing; entries of another name are never met.
        length: Numbers of an entry.
        dtype: Precision on disk.
        max_bytes: Size that all entries below the root together do not exceed.

    Raises:
        CacheError: The folder cannot be made.
    """

    def __init__(
        self, root: Path, name: str, length: int, dtype: Dtype = "float16", max_bytes: int = 20 * 2**30
    ) -> None:
        self.root = root
        self.folder = root / f"{name}-{dtype}"
        self.length = length
        self.dtype = np.dtype(dtype)
        self.max_bytes = max_bytes
        self.started = time.time()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(f"{root}: the feature cache cannot be made ({error.strerror})") from None
        self.used = sum(size for _, _, size in self._entries())

    @property
    def entry_bytes(self) -> int:
        """Size of one entry."""
        return CHECKSUM_BYTES + self.dtype.itemsize * self.length

    @property
    def torch_dtype(self) -> torch.dtype:
        """Precision on disk, as torch calls it."""
        return _TORCH[self.dtype.name]

    def get(self, key: str) -> Float[Tensor, "length"] | None:
        """Return one entry in the cache's precision; None if there is none or a damaged one."""
        path = self.path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        payload = memoryview(content)[CHECKSUM_BYTES:]
        checksum = int.from_bytes(content[:CHECKSUM_BYTES], "little")
        if len(content) != self.entry_bytes or zlib.crc32(payload) != checksum:
            return None
        return torch.frombuffer(bytearray(payload), dtype=self.torch_dtype)

    def put(self, key: str, numbers: Float[Tensor, "length"]) -> None:
        """Keep one entry if there is room; a full disk is no error."""
        if not self._make_room():
            return
        payload = numbers.cpu().to(self.torch_dtype).numpy().tobytes()
        content = zlib.crc32(payload).to_bytes(CHECKSUM_BYTES, "little") + payload
        with contextlib.suppress(OutputError):
            write_atomically(self.path(key), content)
            self.used += len(content)

    def path(self, key: str) -> Path:
        """Return the file of an entry."""
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
