"""Folders as people leave them: hidden files, mixed case, and masks that go by their image's name."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from zerosight.data.find import SUFFIXES, natural_key, visible
from zerosight.errors import DamagedError, DataError, one_line
from zerosight.guarded.archives import packed_text, short_lines

MASK_ENDINGS = (
    *(
        "",
        "_mask",
        "_label",
        "_segmentation",
        "_gt",
        "-mask",
        " mask",
        ".mask",
        "_masks",
        "_seg",
        "_annotation",
    ),
    *("_ground_truth", "_groundtruth", "-gt", "-label", "-seg"),
)
"""What owners put between an image's name and its mask's suffix, the likeliest first; any case will do."""

MASK_PREFIXES = ("mask_", "mask-", "masks_", "gt_", "gt-", "label_", "label-", "seg_", "segmentation_")
"""What some owners put before an image's name instead."""


def images_in(folder: Path | None) -> list[Path]:
    """Return the images directly in a folder in natural order, without hidden files; None has none."""
    return _entries(folder, lambda entry: _suffix(entry.name) in SUFFIXES and entry.is_file())


def others_in(folder: Path | None) -> list[Path]:
    """Return the files directly in a folder that are no images, without what systems and people put there."""

    def wanted(entry: os.DirEntry[str]) -> bool:
        name = entry.name.casefold()
        known = name in ("thumbs.db", "desktop.ini") or name.startswith(("readme", "licen"))
        return entry.is_file() and not known and _suffix(name) not in SUFFIXES

    return _entries(folder, wanted)


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
    return folded(name).replace(" ", "_").replace("-", "_")


def folded(name: str) -> str:
    """Return a name without case, in the one Unicode form that Macs and others agree on."""
    return unicodedata.normalize("NFC", name).casefold()


class MaskFolder:
    """The masks of a folder, found by the name of the image they belong to.

    Args:
        files: The mask files.
        endings: What may stand between the image's name and the suffix.
        prefixes: What may stand before the image's name instead.
    """

    def __init__(
        self,
        files: Iterable[Path],
        endings: Sequence[str] = MASK_ENDINGS,
        prefixes: Sequence[str] = MASK_PREFIXES,
    ) -> None:
        self._exact: dict[str, Path] = {}
        self._folded: dict[str, Path] = {}
        self._endings = endings
        self._prefixes = prefixes
        self._unused: dict[Path, None] = {}
        for path in files:
            self._exact.setdefault(path.stem, path)
            self._folded.setdefault(folded(path.stem), path)
            self._unused[path] = None

    def of(self, image: Path) -> Path | None:
        """Return the mask named after an image, or None."""
        for name in mask_names(image, self._endings, self._prefixes):
            mask = self._exact.get(name) or self._folded.get(folded(name))
            if mask is not None:
                self._unused.pop(mask, None)
                return mask
        return None

    def parts_of(self, image: Path) -> list[Path]:
        """Return the masks that have the image's name and a number, such as ``7_0.png`` and ``7_1.png``."""
        return [mask for mask in self._unused if _is_part(folded(mask.stem), folded(image.stem))]

    def use(self, masks: Iterable[Path]) -> None:
        """Note that masks belong to an image."""
        for mask in masks:
            self._unused.pop(mask, None)

    def unused(self) -> list[Path]:
        """Return the masks that no image has asked for."""
        return list(self._unused)


def mask_names(
    image: Path, endings: Sequence[str] = MASK_ENDINGS, prefixes: Sequence[str] = MASK_PREFIXES
) -> Iterator[str]:
    """Yield what the mask of an image may be called, without its suffix, the likeliest first."""
    yield from (image.stem + ending for ending in endings)
    yield from (prefix + image.stem for prefix in prefixes)
    yield from (image.name + ending for ending in endings)


def _is_part(mask: str, image: str) -> bool:
    """Return whether a mask's name is the image's, or its mask's, and a number behind it."""
    bare = re.fullmatch(r"(.+?)[_\- .]+[0-9]+", mask)
    return bare is not None and bare[1] in map(folded, mask_names(Path(f"{image}.png")))


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line numbers and rows of a table with a header; blanks around names and values do not count.

    Args:
        path: A CSV file in UTF-8, or one packed in ``.gz`` or alone in ``.zip``.
        columns: Lower-case names that the header should have.

    Raises:
        DataError: The file cannot be read, or a column or a value is missing.
    """
    try:
        with packed_text(path) as file:
            reader = csv.reader(short_lines(file))
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
    except (OSError, DamagedError) as error:
        reason = getattr(error, "strerror", None) or one_line(str(error), 120)
        raise DataError(f"{path}: cannot be read ({reason})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text; save the table as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: is not a CSV row ({error})") from None


def _entries(folder: Path | None, wanted: Callable[[os.DirEntry[str]], bool]) -> list[Path]:
    """Return what is wanted of a folder, never a hidden entry; what is no folder holds nothing."""
    if folder is None or not os.path.isdir(folder):
        return []
    try:
        with os.scandir(folder) as entries:
            there = {entry.name: entry for entry in entries if not entry.name.startswith("__MACOSX")}
        names = [name for name in visible(there) if wanted(there[name])]
    except OSError as error:
        raise DataError(f"{folder}: folder cannot be read ({error.strerror or error})") from None
    return [folder / name for name in sorted(names, key=natural_key)]


def _is_called(name: str, entry: os.DirEntry[str]) -> bool:
    return plain(entry.name) == name


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()
