"""Plug-ins: what other installed packages add to zerosight, found by their entry points.

A package names what it adds in its pyproject.toml; nothing is imported before somebody asks for the group:

    [project.entry-points."zerosight.models"]       an Architecture (zerosight.models)
    [project.entry-points."zerosight.backbones"]    a function from a BackboneConfig to a DualEncoder
    [project.entry-points."zerosight.datasets"]     a DatasetInfo (zerosight.data.layouts)
    [project.entry-points."zerosight.folders"]      a Path: model folders, which are then known by name

A plug-in that is broken is one line of warning, told once, and is left out; everything else goes on.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from zerosight.errors import WeightsError, one_line

MODELS, BACKBONES, DATASETS = "zerosight.models", "zerosight.backbones", "zerosight.datasets"
FOLDERS = "zerosight.folders"
RADZ_TINY = "zerosight-radz-tiny"
"""The package of the weights that are not under zerosight's own licence."""

_log = logging.getLogger(__name__)


def plug_in_names(group: str) -> tuple[str, ...]:
    """Return the names that installed packages registered in a group, without importing any of them."""
    return tuple(dict.fromkeys(entry.name for entry in _entries(group, tuple(sys.path))))


def plug_ins(group: str, fits: Callable[[Any], bool], wanted: str) -> dict[str, Any]:
    """Return what installed packages registered in a group, by the names they gave it.

    Args:
        group: One of the four above.
        fits: Whether what a name leads to is of the right kind.
        wanted: That kind in words, such as ``"a DatasetInfo"``.
    """
    found = {entry.name: _load(entry) for entry in _entries(group, tuple(sys.path))}
    for name, value in found.items():
        if value is not None and not fits(value):
            _warn_once(f"plug-in '{name}' of {group} is {type(value).__name__}, not {wanted}; it is left out")
    return {name: value for name, value in found.items() if value is not None and fits(value)}


def folders() -> dict[str, Path]:
    """Return the folders of model folders that installed packages have, by the names they gave them."""
    return plug_ins(FOLDERS, lambda found: isinstance(found, Path), "a Path")


def radz_tiny(wanted: str) -> Path:
    """Return the folder of the package :data:`RADZ_TINY`.

    Args:
        wanted: What it is looked for, such as ``"the model 'radz-tiny'"``.

    Raises:
        WeightsError: It is not installed.
    """
    folder = folders().get(RADZ_TINY)
    if folder is None:
        _entries.cache_clear()  # so that it is found once it is installed
        raise WeightsError(
            f"{wanted} is in a package of its own, for non-commercial research only; run: "
            f"pip install {RADZ_TINY} (from a checkout: pip install packages/{RADZ_TINY})"
        )
    return folder


@cache
def _entries(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return what is registered in a group; to look costs a look at every package on the path."""
    return tuple(entry_points(group=group))


@cache
def _load(entry: EntryPoint) -> Any:
    """Return what an entry point leads to; None where that fails."""
    try:
        return entry.load()
    except Exception as error:  # a foreign package may fail in any way
        reason = one_line(f"{type(error).__name__}: {error}", 160)
        _warn_once(f"plug-in '{entry.name}' of {entry.group} cannot be loaded ({reason}); it is left out")
        return None


@cache
def _warn_once(line: str) -> None:
    _log.warning(line)
