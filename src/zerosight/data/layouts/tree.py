"""Folders as people leave them: hidden files, mixed case, and masks that go by their image's name."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

from zerosight.data.find import SUFFIXES, natural_key
from zerosight.errors import DataError

MASK_ENDINGS = ("", "_mask", "_label", "_segmentation", "_gt", "-mask", " mask")
"""What owners put between an image's name and its mask's suffix, the likeliest first; any case will do."""


def images_in(folder: Path | None) -> list[Path]:
    """Return the images directly in a folder in natural order, without hidden files; None has none."""
    return _entries(folder, lambda entry: _suffix(entry.name) in SUFFIXES and entry.is_file())


def folders_in(folder: Path | None) -> list[Path]:
    """Return the folders directly in a folder in natural order, without hidden ones; None has none."""
    return _entries(folder, lambda entry: entry.is_dir())


def child(folder: Path | None, name: str) -> Path | None:
    """Return what a path of one or more parts below a folder names, whatever its case; None if nothing does.

    An exact match comes before one that differs in case, and ``_``, ``-`` and spaces are not told apart.
    """
    for part in name.split("/"):
        near = _entries(folder, partial(_is_called, plain(part)))
        exact = [path for path in near if path.name == part]
        folder = next(iter(exact or near), None)
    return folder


def plain(name: str) -> str:
    """Return a name without case, with one kind of blank.

    >>> plain("Ground-Truth")
    'ground_truth'
    """
    return name.casefold().replace(" ", "_").replace("-", "_")


class MaskFolder:
    """The masks of a folder, found by the name of the image they belong to.

    Args:
        files: The mask files.
        endings: What may stand between the image's name and the suffix.
    """

    def __init__(self, files: Iterable[Path], endings: Sequence[str] = MASK_ENDINGS) -> None:
        self._exact: dict[str, Path] = {}
        self._folded: dict[str, Path] = {}
        self._endings = endings
        self._unused: dict[Path, None] = {}
        for path in files:
            self._exact.setdefault(path.stem, path)
            self._folded.setdefault(path.stem.casefold(), path)
            self._unused[path] = None

    def of(self, image: Path) -> Path | None:
        """Return the mask named after an image, or None."""
        for ending in self._endings:
            name = image.stem + ending
            mask = self._exact.get(name) or self._folded.get(name.casefold())
            if mask is not None:
                self._unused.pop(mask, None)
                return mask
        return None

    def unused(self) -> list[Path]:
        """Return the masks that no image has asked for."""
        return list(self._unused)


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line numbers and rows of a table with a header; blanks around names and values do not count.

    Args:
        path: A CSV file in UTF-8, or one packed in ``.gz`` or alone in ``.zip``.
        columns: Lower-case names that the header should have.

    Raises:
        DataError: The file cannot be read, or a column or a value is missing.
    """
    try:
        with _open_text(path) as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in columns if name not in header]
            if missing:
                raise DataError(
                    f"{path}:1: no column {missing[0]!r}; found {', '.join(header)[:200] or 'none'}"
                )
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise DataError(
                        f"{path}:{reader.line_num}: has {len(cells)} values, expected {len(header)}"
                    )
                yield reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text; save the table as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: is not a CSV row ({error})") from None


@contextmanager
def _open_text(path: Path) -> Iterator[TextIO]:
    """Open a text file, unpacking it by its suffix."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    elif suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise DataError(f"{path}: holds {len(names)} files, expected the table alone; unpack it")
            with archive.open(names[0]) as packed:
                yield io.TextIOWrapper(packed, encoding="utf-8-sig", newline="")
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file


def _entries(folder: Path | None, wanted: Callable[[os.DirEntry[str]], bool]) -> list[Path]:
    """Return what is wanted of a folder, never a hidden entry; what is no folder holds nothing."""
    if folder is None or not os.path.isdir(folder):
        return []
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith((".", "__MACOSX")) and wanted(e)]
    except OSError as error:
        raise DataError(f"{folder}: folder cannot be read ({error.strerror or error})") from None
    return [folder / name for name in sorted(names, key=natural_key)]


def _is_called(name: str, entry: os.DirEntry[str]) -> bool:
    return plain(entry.name) == name


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()
