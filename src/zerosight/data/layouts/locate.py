"""Locate: the data set's own folder, given that folder or one that holds it among others."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from zerosight.data.layouts.info import DatasetInfo
from zerosight.data.layouts.tree import folders_in, plain
from zerosight.errors import DataError, one_line

MAX_DEPTH = 3
MAX_FOLDERS = 2000


def locate(info: DatasetInfo, root: Path, others: Iterable[DatasetInfo]) -> tuple[Path, list[str]]:
    """Return the folder of a data set, and notes on others that it could have been.

    The root itself comes first. Below it, at most three levels deep, folders on whose path the set's name (or
    an alias) occurs come before others, then the shallowest; folders that go by another set's name are not
    it.

    Args:
        info: The data set.
        root: Its folder, or a folder above it.
        others: All known data sets, to recognise their names.

    Raises:
        DataError: There is no such folder; the message says what was looked for and what was found.
    """
    if not os.path.isdir(root):
        raise DataError(
            f"{one_line(str(root))}: no such folder; give the folder of {info.name} or one above it"
        )
    if info.layout.matches(root):
        return root, []
    mine = _names(info)
    theirs = {name for other in others for name in _names(other)} - mine
    found: list[tuple[bool, int, Path]] = []
    seen = 0
    for depth, folder in _below(root):
        seen += 1
        parts = {plain(part) for part in folder.relative_to(root).parts}
        if (parts & mine or not parts & theirs) and _matches(info, folder):
            found.append((not parts & mine, depth, folder))
    if not found:
        raise DataError(
            f"{root}: no {info.name} here or in the {seen} folders below; "
            f"looked for {info.layout.looks_for}; found {_contents(root)}"
        )
    found.sort(key=lambda item: item[:2])
    chosen = found[0][2]
    rest = [path for unnamed, _, path in found if unnamed == found[0][0] and not path.is_relative_to(chosen)]
    notes = [
        f"read {chosen}, not {path}, which looks alike; name the folder itself to read it" for path in rest
    ]
    return chosen, notes


def _names(info: DatasetInfo) -> set[str]:
    return {info.name, *info.aliases}


def _below(root: Path) -> Iterable[tuple[int, Path]]:
    """Yield depths and folders below the root, level by level."""
    level, count = [root], 0
    for depth in range(1, MAX_DEPTH + 1):
        level = [path for parent in level for path in _readable_folders(parent)]
        for path in level:
            count += 1
            if count > MAX_FOLDERS:
                return
            yield depth, path


def _readable_folders(folder: Path) -> list[Path]:
    try:
        return folders_in(folder)
    except DataError:
        return []


def _matches(info: DatasetInfo, folder: Path) -> bool:
    try:
        return info.layout.matches(folder)
    except DataError:
        return False


def _contents(root: Path, limit: int = 8) -> str:
    """Return what is in a folder, in a few words."""
    names = sorted(name + ("/" if os.path.isdir(root / name) else "") for name in os.listdir(root))
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(repr(name)[1:-1] for name in names[:limit]) + more) if names else "an empty folder"
