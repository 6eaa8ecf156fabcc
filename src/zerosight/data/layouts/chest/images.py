"""Images: the files below a folder, found by what a table calls them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from zerosight.data.find import SUFFIXES, natural_key, visible
from zerosight.errors import DataError


def walk(folder: Path, suffixes: Collection[str] = SUFFIXES) -> Iterator[Path]:
    """Yield the files below a folder whose names end in one of the suffixes, in natural order.

    Hidden entries are left out, and links that lead back up are not followed.

    Raises:
        DataError: A folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            there = {e.name: e.is_dir() for e in entries if not e.name.startswith("__MACOSX")}
    except OSError as error:
        raise DataError(f"{folder}: folder cannot be read ({error.strerror or error})") from None
    for name in sorted(visible(there), key=natural_key):
        path = folder / name
        if not there[name]:
            if path.suffix.lower() in suffixes:
                yield path
        elif not (path.is_symlink() and folder.resolve().is_relative_to(path.resolve())):
            yield from walk(path, suffixes)


def key(name: str, parts: int = 1) -> str:
    """Return what stays the same however a table writes a file's name: no case, no suffix, no folders above.

    Args:
        name: A name or path.
        parts: Names at the end of the path that count.

    >>> key("CheXpert-v1.0/train/patient1/study1/View1.JPG", parts=3)
    'patient1/study1/view1'
    >>> key("1.2.276.0.7230010")
    '1.2.276.0.7230010'
    """
    pieces = _pieces(name)[-parts:]
    stem, suffix = os.path.splitext(pieces[-1])
    return "/".join([*pieces[:-1], stem if suffix in SUFFIXES else pieces[-1]])


class ImageIndex:
    """The images of a data set, by name.

    Args:
        folder: The data set's own folder.
        parts: Names at the end of a path that tell one image from another.
    """

    def __init__(self, folder: Path, parts: int = 1) -> None:
        self._parts = parts
        self._files: dict[str, list[str]] = defaultdict(list)
        self._folders = {""}
        self._folder = folder
        for path in walk(folder):
            name = path.relative_to(folder).as_posix()
            self._files[key(name, parts)].append(name)
            self._folders.update(_pieces(name)[:-1])

    def find(self, name: str) -> Path | None:
        """Return the image that a table calls ``name``, or None.

        Of several of one name, the one whose path ends most as the table says comes first, then the one of
        the same suffix. A table's own folders above the data set's do not count; but where a folder is here
        too, its image is not looked for in another.
        """
        wanted = _pieces(name)
        near = self._files.get(key(name, self._parts), [])
        if not near:
            return None
        best = max(near, key=lambda path: _alike(_pieces(path), wanted))
        elsewhere = len(wanted) > 1 and wanted[-2] in self._folders and _pieces(best)[-2:-1] != wanted[-2:-1]
        return None if elsewhere else self._folder / best

    def names(self) -> Iterator[str]:
        """Yield the paths of all images, relative to the folder."""
        for names in self._files.values():
            yield from names


def _pieces(name: str) -> list[str]:
    return [piece for piece in name.replace("\\", "/").casefold().split("/") if piece not in ("", ".")] or [
        ""
    ]


def _alike(path: list[str], wanted: list[str]) -> tuple[int, bool]:
    """Return how many folders at the end agree, and whether the names do with their suffix."""
    count = 0
    for here, there in zip(reversed(path[:-1]), reversed(wanted[:-1]), strict=False):
        if here != there:
            break
        count += 1
    return count, path[-1] == wanted[-1]
