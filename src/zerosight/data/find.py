"""Find: from what a person names on the command line to image files, one at a time."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zerosight.data.pixels import has_dicom_mark, one_line
from zerosight.errors import DataError

_SUFFIXES = ".png .jpg .jpeg .jpe .jfif .jp2 .j2k .bmp .gif .tif .tiff .webp .ppm .pgm .pbm .pnm .dcm .dicom"
SUFFIXES = frozenset(_SUFFIXES.split())
_UNNAMED = re.compile(r"\.?[0-9]*")  # the suffix of what scanners call IM0001 or 1.2.840.113619.2


def find_images(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Yield the image files that the paths name, in the order of the paths.

    A file is yielded whatever its name. A folder is walked in natural order (``2.png`` before ``10.png``),
    with its subfolders, without hidden entries, and gives the files with an image's suffix, and DICOM files
    that have none, as scanners name them. A pattern
    (``*``, ``?``, ``[…]``, ``**``) that names no existing file gives the images and folders it matches. Only
    one folder's names are held at a time.

    Args:
        paths: Files, folders and patterns. A list is checked as a whole before the first file is yielded.

    Raises:
        DataError: A path is missing, a folder cannot be read, or a folder or pattern gives no image.
    """
    if isinstance(paths, Sequence):
        for path in paths:
            _check_exists(str(path))
    return _find(paths)


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that counts: digits compare as numbers, letters without case.

    >>> sorted(["a10", "a9", "B1"], key=natural_key)
    ['a9', 'a10', 'B1']
    """
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    key = [(0, int(digits), "") if digits else (1, 0, text.casefold()) for digits, text in parts]
    return [*key, (2, 0, name)]  # the name itself decides between "A1" and "a01"


def _find(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Yield the images of each path in turn."""
    for path in map(str, paths):
        _check_exists(path)
        if not os.path.lexists(path):
            found = _matches(path)
        elif os.path.isdir(path):
            found = _walk(path, ())
        else:
            yield Path(path)
            continue
        first = next(found, None)
        if first is None:
            raise DataError(f"{one_line(path)}: no image in there; looked for names ending in {_SUFFIXES}")
        yield first
        yield from found


def _check_exists(path: str) -> None:
    """Refuse a path that is neither there nor a pattern."""
    if not path or "\0" in path or not (os.path.lexists(path) or glob.has_magic(path)):
        raise DataError(f"{one_line(path) or repr(path)}: no such file or folder")


def _matches(pattern: str) -> Iterator[Path]:
    """Yield the images that a pattern matches, and those in the folders it matches."""
    for match in sorted(glob.iglob(pattern, recursive=True), key=natural_key):
        if not os.path.isdir(match):
            if _is_image(match):
                yield Path(match)
        elif "**" not in pattern:  # which has matched the folder's files already
            yield from _walk(match, ())


def _walk(folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Yield the images of a folder and its subfolders; links that lead back up are not followed."""
    try:
        status = os.stat(folder)
        with os.scandir(folder) as entries:
            names = sorted((e.name for e in entries if not e.name.startswith(".")), key=natural_key)
    except OSError as error:
        raise DataError(f"{one_line(folder)}: folder cannot be read ({error.strerror})") from None
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _walk(path, (*above, here))
        elif _is_image(path):
            yield Path(path)


def _is_image(path: str) -> bool:
    """Return whether the name ends as an image's does, or the file has no suffix but the mark of DICOM."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in SUFFIXES:
        return True
    if not _UNNAMED.fullmatch(suffix) or os.path.basename(path).upper() == "DICOMDIR":
        return False
    try:
        with open(path, "rb") as file:
            return has_dicom_mark(file)
    except OSError:
        return False
