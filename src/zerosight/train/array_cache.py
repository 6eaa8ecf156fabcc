"""Numbers that a frozen tower says about images, kept on disk.

One file per image, named by the hash of the image file's bytes. A file is a checksum and the numbers; it is
written aside and renamed, so that runs which share the folder never see a part of one. The size of all that
is there stands in a ledger, in which each run books an entry before it writes it: the limit holds for all
runs together. A run that is killed may leave too much in the ledger or a part of a file on disk; both are put
right when a run begins, and when the cache is full.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.errors import CacheError, DataError, OutputError
from zerosight.files import locked, remove_leftover, sha256, write_atomically

SUFFIX = ".features"
LEDGER = ".bytes"
CHECKSUM_BYTES = 4
DEFAULT_BYTES = 20 * 2**30

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
        max_bytes: Size that all entries below the root together do not exceed, whoever writes them.

    Raises:
        CacheError: The folder cannot be made.
    """

    def __init__(
        self, root: Path, name: str, length: int, dtype: Dtype = "float16", max_bytes: int = DEFAULT_BYTES
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
        self._full_at: int | None = None  # bytes in the ledger when nothing could make room
        with contextlib.suppress(OSError), locked(self.root / LEDGER) as ledger:
            _note(ledger, sum(size for _, _, size in self._entries()))

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
        if not self._book():
            return
        payload = numbers.cpu().to(self.torch_dtype).numpy().tobytes()
        content = zlib.crc32(payload).to_bytes(CHECKSUM_BYTES, "little") + payload
        with contextlib.suppress(OutputError):
            write_atomically(self.path(key), content)

    def path(self, key: str) -> Path:
        """Return the file of an entry."""
        return self.folder / key[:2] / (key + SUFFIX)

    def _book(self) -> bool:
        """Return whether there is room for one more entry, which is then in the ledger."""
        limit = self.max_bytes - self.entry_bytes
        with contextlib.suppress(OSError), locked(self.root / LEDGER) as ledger:
            used = _noted(ledger)
            if used is None or limit < used != self._full_at:
                used = self._make_room(limit)
            fits = used <= limit
            self._full_at = None if fits else used
            _note(ledger, used + self.entry_bytes if fits else used)
            return fits
        return False

    def _make_room(self, limit: int) -> int:
        """Remove what no run has used since this one began, down to a limit; return what is left."""
        entries = sorted(self._entries())
        used = sum(size for _, _, size in entries)
        for modified, path, size in entries:
            if used <= limit or modified >= self.started:
                break
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            used -= size
        return used

    def _entries(self) -> list[tuple[float, Path, int]]:
        """Return time, place and size of all entries and parts of them, after a sweep."""
        found = []
        for path in self.root.glob("*/*/*"):
            with contextlib.suppress(OSError):
                part = path.name.startswith(".")
                if (part and not remove_leftover(path)) or path.suffix == SUFFIX:
                    stat = path.stat()
                    found.append((stat.st_mtime, path, stat.st_size))
        return found


class ImageKeys:
    """Names of images in a cache: hashes of their files, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def __getitem__(self, image: Path) -> str:
        """Return the key of an image file.

        Raises:
            DataError: The file cannot be read.
        """
        if image not in self._known:
            try:
                self._known[image] = sha256(image)
            except OSError as error:
                raise DataError(f"{image}: cannot be read ({error.strerror})") from None
        return self._known[image]


def _noted(ledger: BinaryIO) -> int | None:
    """Return the bytes in a ledger; None if it is empty or damaged."""
    ledger.seek(0)
    text = ledger.read(_DIGITS + 1)
    return int(text) if len(text) == _DIGITS and text.isdigit() else None


def _note(ledger: BinaryIO, used: int) -> None:
    ledger.seek(0)
    ledger.write(b"%0*d" % (_DIGITS, used))
    ledger.truncate()
    ledger.flush()


_DIGITS = 20
_TORCH = {"float16": torch.float16, "float32": torch.float32}
