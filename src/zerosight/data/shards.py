"""Shards: files of many images, each read where it lies; nothing is unpacked to disk.

=====================================  ======================================================
file                                   names
=====================================  ======================================================
tar archive, as of webdataset          ``shard-0.tar#000017.jpg``, by the name in the archive
packed one (``.tar.gz``, ``.tgz``)     ``shard-0.tgz#000017.jpg``
Parquet table, as of Hugging Face      ``train-0.parquet#row=17``, from 0
Arrow file, as of ``save_to_disk``     ``data-00000-of-00001.arrow#row=17``, from 0
=====================================  ======================================================

Of an archive the headers are read, and then the image alone; a packed one is unpacked from its beginning, as
it streams by. Tables are read as :mod:`zerosight.data.tables` says. So are shards in a store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BufferedReader
from pathlib import Path, PurePosixPath
from threading import RLock
from typing import Protocol, runtime_checkable

from zerosight.data.forward import Forward
from zerosight.data.tables import AT_ONCE, LARGEST, MOST, Arrow, Parquet
from zerosight.errors import DamagedError, ImageReadError, one_line
from zerosight.files import Part
from zerosight.guarded.tar import BLOCK, Member, content_size, packed_members, tar_members
from zerosight.stores import fetch, is_address, opened

SUFFIXES = frozenset((".tar", ".tar.gz", ".tgz", ".parquet", ".arrow"))


@runtime_checkable
class _Shard(Protocol):
    """What all shards can do."""

    def names(self, is_image: Callable[[str], bool]) -> Iterator[str]:
        """Yield what follows ``#`` in the names of its images."""

    def read(self, part: Part) -> bytes:
        """Return the file of one image."""


def suffix_of(name: str) -> str:
    """Return how a name ends, in lower case.

    >>> suffix_of("a.tar.GZ"), suffix_of("labels.csv.gz"), suffix_of("a")
    ('.tar.gz', '.gz', '')
    """
    lower = name.lower()
    return ".tar.gz" if lower.endswith(".tar.gz") else os.path.splitext(lower)[1]


def is_shard(path: Path | str) -> bool:
    """Return whether a name is that of a shard.

    >>> is_shard("s3://bucket/shard-0.tar"), is_shard("a.png")
    (True, False)
    """
    return suffix_of(str(path)) in SUFFIXES


def is_cache(name: str) -> bool:
    """Return whether a name is that of a file in which ``datasets`` keeps what it made of others.

    >>> is_cache("set/cache-1b2c.arrow"), is_cache("set/data-00000-of-00001.arrow")
    (True, False)
    """
    return name.rsplit("/", 1)[-1].startswith("cache-") and name.endswith(".arrow")


def names_in(path: Path | str, is_image: Callable[[str], bool]) -> Iterator[str]:
    """Yield what follows ``#`` in the names of a shard's images.

    Args:
        path: The shard, or its address.
        is_image: Whether a file in an archive is one, by its name.

    Raises:
        ImageReadError: It cannot be read; also after some of the names.
    """
    yield from _shard(path).names(is_image)


def read_in(path: Path | str, part: Part) -> bytes:
    """Return the file of one image of a shard.

    Raises:
        ImageReadError: There is no such image, or it cannot be read.
    """
    return _shard(path).read(part)


def why_none(path: Path | str) -> str:
    """Return why a shard is not an image."""
    first = None
    for name in _shard(path).names(lambda name: True):  # to the end: what is damaged raises
        first = first or name
    if first is None:
        return "holds nothing"
    return f"is no image, but may hold some; name one, such as …#{one_line(first, 80)}"


def _shard(path: Path | str) -> _Shard:
    known: tuple[int, int] | None = None
    if not is_address(path):
        try:
            found = os.stat(path)
        except OSError as error:
            raise ImageReadError(f"cannot be read ({error.strerror})") from None
        known = (found.st_size, found.st_mtime_ns)
    return _kept(str(path), known)


@lru_cache(maxsize=2)
def _kept(name: str, known: tuple[int, int] | None) -> _Shard:
    """Return a shard by its name, and size and time."""
    kinds: dict[str, Callable[[str], _Shard]] = {".tar": _Tar, ".parquet": Parquet, ".arrow": Arrow}
    return kinds.get(suffix_of(name), _Packed)(name)


class _Tar:
    """An archive whose headers are read as far as they are needed; threads may share it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._members: dict[str, Member] = {}
        self._order: list[str] = []
        self._rest = self._scan()
        self._damage = ""
        self._lock = RLock()

    def names(self, is_image: Callable[[str], bool]) -> Iterator[str]:
        number = 0
        while True:
            with self._lock:
                while number == len(self._order):
                    if not self._advance():
                        return
                name = self._order[number]
            number += 1
            if is_image(name):
                yield name

    def read(self, part: Part) -> bytes:
        with self._lock:
            while part.name not in self._members and self._advance():
                pass
            member = self._members.get(part.name)
        if member is None:
            raise ImageReadError("is not in the archive")
        if member.size > LARGEST:
            raise ImageReadError(f"is too large: {member.size:,} bytes, at most {LARGEST:,} are read")
        return self._content(member)

    def _content(self, member: Member) -> bytes:
        """Return what a file holds."""
        start, end = member.offset - BLOCK, member.offset + member.size
        if is_address(self._name):
            content = fetch(self._name, start, end)
        else:
            with open(self._name, "rb") as file:
                file.seek(start)
                content = file.read(end - start)
        if len(content) < end - start:
            raise ImageReadError("is cut off where the archive ends")
        try:
            same = content_size(content[:BLOCK]) in (member.size, 0)  # 0 where the size is told elsewhere
        except DamagedError:
            same = False
        if not same:
            raise ImageReadError("was replaced while it was read; run it again")
        return content[BLOCK:]

    def _advance(self) -> bool:
        """Read on to the next file; return whether there is one."""
        if self._damage:
            raise ImageReadError(self._damage)
        try:
            member = next(self._rest, None)
        except Exception as error:  # of the archive, or of any kind of store
            self._damage = one_line(str(error) or type(error).__name__)
            raise ImageReadError(self._damage) from None
        if member is None:
            return False
        if len(self._order) >= MOST:
            self._damage = f"holds more than {MOST:,} files"
            raise ImageReadError(self._damage)
        name = str(PurePosixPath(f"#{member.name}"))[1:]  # as it comes back from a path
        if name not in self._members:
            self._order.append(name)
            self._members[name] = member
        return True

    def _scan(self) -> Iterator[Member]:
        with self._opened() as file:
            yield from tar_members(file)

    @contextmanager
    def _opened(self) -> Iterator[BufferedReader]:
        with opened(self._name, AT_ONCE) if is_address(self._name) else open(self._name, "rb") as file:
            yield file


class _Packed(_Tar):
    """A packed archive: unpacked once to list it and once to read it, as far as is asked."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._contents = Forward(self._unpack, len)

    def _content(self, member: Member) -> bytes:
        try:
            return self._contents.get(member.offset)
        except (IndexError, DamagedError) as error:
            raise ImageReadError(str(error) or "is not in the archive any more; run it again") from None

    def _scan(self) -> Iterator[Member]:
        with self._opened() as file:
            for member, _ in packed_members(file, LARGEST):
                yield member

    def _unpack(self) -> Iterator[tuple[int, bytes]]:
        """Yield the contents of all files, each with its place."""
        with self._opened() as file:
            for member, inside in packed_members(file, LARGEST):
                yield member.offset, inside.read(member.size)
