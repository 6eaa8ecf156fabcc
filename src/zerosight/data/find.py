"""Find: from what a person names on the command line to image files, one at a time."""

from __future__ import annotations

import codecs
import glob
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from zerosight.data.pixels import has_dicom_mark
from zerosight.data.shards import SUFFIXES as SHARDS
from zerosight.data.shards import is_cache, suffix_of
from zerosight.errors import DataError, one_line
from zerosight.files import file_of, part_of, split_part
from zerosight.stores import is_address, local, place, walk

_SUFFIXES = (
    ".png .jpg .jpeg .jpe .jfif .jp2 .j2k .bmp .gif .apng .tif .tiff .webp .avif .ppm .pgm .pbm .pnm "
    ".dcm .dicom"
)
SUFFIXES = frozenset((*_SUFFIXES.split(), ".heic", ".heif"))
"""Those of images; also of photographs that are not read, so that they are named and not passed over."""
RECORDS = ("predictions.jsonl", "blocks.jsonl")
"""One of these is in every folder of results; the second where a cluster made them."""

PICTURES = frozenset({"heatmaps", "outlines", "previews", "maps", "masks", "dicom", "predictions.parquet"})
"""Where a folder of results has the pictures and maps that were drawn; they are nobody's input."""

_UNNAMED = re.compile(r"\.?[0-9]*")  # the suffix of what scanners call IM0001 or 1.2.840.113619.2


def find_images(paths: Iterable[str | Path], also: Collection[str] = ()) -> Iterator[Path | str]:
    """Yield the image files that the paths name, in the order of the paths.

    A file is yielded whatever its name. A folder is walked in natural order (``2.png`` before ``10.png``),
    with its subfolders, without hidden entries, and gives the files with an image's suffix, and DICOM files
    that have none, as scanners name them. A pattern
    (``*``, ``?``, ``[…]``, ``**``) that names no existing file gives the images and folders it matches. Only
    one folder's names are held at a time.
    An address in a store (``s3://…``) is an image's, or gives the images below it, in the store's order.
    A folder without any image gives the shards in it (:mod:`zerosight.data.shards`), a pattern those that it
    names.

    Args:
        paths: Files, folders and patterns. A list is checked as a whole before the first file is yielded.
        also: Further suffixes to look for in folders and patterns, such as those of videos.

    Raises:
        DataError: A path is missing, a folder cannot be read, or a folder or pattern gives no image.
    """
    if isinstance(paths, Sequence):
        for path in paths:
            _check_exists(local(str(path)))
    return _find(paths, also)


def listed_images(content: bytes, also: Collection[str] = ()) -> Iterator[Path | str]:
    """Yield the image files that a list names, one name a line, as :func:`find_images` does.

    Read are lists of any system: line ends of Windows, a byte-order mark, UTF-16 with one, and names that are
    no UTF-8. What is not there is yielded as it is named, for the reader to report.

    Args:
        content: The list.
        also: As for :func:`find_images`.

    Raises:
        DataError: The list names nothing.
    """
    names = [name for name in map(_name_in_list, _lines(content)) if name]
    if not names:
        raise DataError("the list names no image; write one name a line, such as with: find . -name '*.png'")
    for name in names:
        try:
            yield from find_images([name], also)
        except DataError:
            yield place(name.replace("\0", "?"))


def _lines(content: bytes) -> list[str]:
    """Return the lines of a list as names of files."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace").split("\n")
    return os.fsdecode(content.removeprefix(codecs.BOM_UTF8)).split("\n")


def _name_in_list(line: str) -> str:
    """Return a line without the line end of Windows, unless a file is called so."""
    return line if "\0" in line or os.path.lexists(line) else line.rstrip("\r")


def visible(names: Collection[str]) -> list[str]:
    """Return the names of a folder's entries without hidden ones and what a folder of results has drawn.

    >>> visible(["a.png", ".b.png", "maps"]), visible(["a.png", "maps", "predictions.jsonl"])
    (['a.png', 'maps'], ['a.png', 'predictions.jsonl'])
    >>> visible(["a.png", "blocks.jsonl", "predictions.parquet"])
    ['a.png', 'blocks.jsonl']
    """
    drawn = PICTURES if any(name in names for name in RECORDS) else frozenset()
    return [name for name in names if not name.startswith(".") and name not in drawn]


def is_drawn(path: Path, folder: Path) -> bool:
    """Return whether a file below a folder is a picture that a folder of results has drawn."""
    between = [path.parent, *path.parent.parents][: len(path.parts) - len(folder.parts) - 1]
    homes = (one.parent for one in between if one.name in PICTURES)
    return any(os.path.lexists(home / name) for home in homes for name in RECORDS)


def natural_key(name: str) -> str:
    """Return a sort key that counts: digits compare as numbers, letters without case.

    >>> sorted(["a10", "a9", "B1"], key=natural_key)
    ['a9', 'a10', 'B1']
    """
    parts = []
    for digits, text in re.findall(r"([0-9]+)|([^0-9]+)", name):
        number = digits.lstrip("0")
        parts.append(f"\0{chr(len(number))}{number}" if digits else f"\1{text.casefold()}")
    return "".join([*parts, "\2", name])  # the name itself decides between "A1" and "a01"


def _find(paths: Iterable[str | Path], also: Collection[str]) -> Iterator[Path | str]:
    """Yield the images of each path in turn."""
    for path in map(local, map(str, paths)):
        if is_address(path):
            yield from _stored(path, also)
            continue
        _check_exists(path)
        if part_of(Path(path)):
            yield Path(path)
            continue
        if not os.path.lexists(path):
            found = _matches(path, also)
        elif os.path.isdir(path):
            found = _walk(path, (), also)
        else:
            yield Path(path)
            continue
        first = next(found, None)
        if first is None and os.path.isdir(path):
            found = _walk(path, (), SHARDS)
            first = next(found, None)
        if first is None:
            raise DataError(f"{one_line(path)}: no image in there; looked for names ending in {_SUFFIXES}")
        yield first
        yield from found


def _check_exists(path: str) -> None:
    """Refuse a path that is neither there nor a pattern; stores are asked later."""
    if is_address(path):
        return
    there = bool(path) and "\0" not in path and (os.path.lexists(file_of(Path(path))) or glob.has_magic(path))
    if not there:
        raise DataError(f"{one_line(path) or repr(path)}: no such file or folder")


def _stored(address: str, also: Collection[str]) -> Iterator[str]:
    """Yield the images at and below an address in a store, as it lists them."""
    name, part = split_part(address)
    if part is not None:
        yield address
        return
    for wanted in ({*SUFFIXES, *also}, SHARDS):
        nothing = True
        for found in walk(name):
            hidden = any(one.startswith(".") for one in found.removeprefix(name).split("/"))
            if found == name or (not hidden and suffix_of(found) in wanted and not is_cache(found)):
                nothing = False
                yield found
        if not nothing:
            return
    raise DataError(f"{one_line(name)}: no image in there; looked for names ending in {_SUFFIXES}")


def _matches(pattern: str, also: Collection[str]) -> Iterator[Path]:
    """Yield the images that a pattern matches, and those in the folders it matches."""
    ending = suffix_of(pattern)
    also = {*also, ending} if ending in SHARDS else also
    named = Path(re.split(r"[*?[]", pattern)[0] + "x").parent  # folders that the pattern names itself
    for match in sorted(glob.iglob(pattern, recursive=True), key=natural_key):
        if not os.path.isdir(match):
            if _is_image(match, also) and not is_drawn(Path(match), named):
                yield Path(match)
        elif "**" not in pattern:  # which has matched the folder's files already
            yield from _walk(match, (), also)


def _walk(folder: str, above: tuple[tuple[int, int], ...], also: Collection[str]) -> Iterator[Path]:
    """Yield the images of a folder and its subfolders; links that lead back up are not followed."""
    try:
        status = os.stat(folder)
        with os.scandir(folder) as entries:
            names = sorted(visible([entry.name for entry in entries]), key=natural_key)
    except OSError as error:
        raise DataError(f"{one_line(folder)}: folder cannot be read ({error.strerror})") from None
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _walk(path, (*above, here), also)
        elif _is_image(path, also):
            yield Path(path)


def _is_image(path: str, also: Collection[str] = ()) -> bool:
    """Return whether the name ends as an image's does, or the file has no suffix but the mark of DICOM."""
    suffix = suffix_of(path)
    if suffix in SUFFIXES or (suffix in also and not is_cache(path)):
        return True
    if not _UNNAMED.fullmatch(suffix) or os.path.basename(path).upper() == "DICOMDIR":
        return False
    try:
        with open(path, "rb") as file:
            return has_dicom_mark(file)
    except OSError:
        return False
