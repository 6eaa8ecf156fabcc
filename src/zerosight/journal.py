"""Journals: one line of JSON per image, on disk at once, so that interrupted work can go on.

A folder holds the file of lines and ``settings.json``, what the lines depend on: lines of other settings are
never mixed with them. A line that an interruption left half is cut off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Generic, TypeVar

from zerosight.errors import OutputError
from zerosight.files import write_atomically

SETTINGS = "settings.json"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Store:
    """Where an evaluation keeps what it has found, and what to do about what is there.

    Attributes:
        folder: The folder; None keeps nothing.
        resume: Go on with an interrupted evaluation.
        overwrite: Start anew.
    """

    folder: Path | None = None
    resume: bool = False
    overwrite: bool = False


class Lines(Generic[T]):
    """The lines of one file: those that were there, and those that are added.

    Args:
        store: Where, and what to do about lines that are there.
        settings: What the lines depend on, as JSON values.
        name: The file's name.
        parse: Returns what a parsed line holds; raises ValueError for what is no such line.
        beside: Names of files that are cleared with the lines.

    Raises:
        OutputError: The folder holds results and the store does not say what to do, or results of other
            settings, or cannot be written or read.
    """

    def __init__(
        self,
        store: Store,
        settings: Mapping[str, Any],
        name: str,
        parse: Callable[[Any], T],
        beside: tuple[str, ...] = (),
    ) -> None:
        self.path = store.folder / name if store.folder is not None else None
        self.found: list[T] = []
        self._parse = parse
        self._end = 0
        self._file: FileIO | None = None
        if store.folder is None or self.path is None:
            return
        plain = json.loads(json.dumps(dict(settings)))
        begun = self.path.exists() and not store.overwrite
        if begun and not store.resume:
            raise OutputError(
                f"{store.folder}: holds an evaluation; resume or overwrite it, or use another folder"
            )
        if begun:
            _check_same(store.folder, plain)
            self._read(self.path)
        else:
            _clear([store.folder / file for file in (name, *beside)])
            write_atomically(store.folder / SETTINGS, json.dumps(plain, indent=2).encode() + b"\n")

    def add(self, values: Mapping[str, Any]) -> None:
        """Put one line on disk.

        Raises:
            OutputError: It cannot be written; everything added before is kept.
        """
        if self.path is None:
            return
        line = json.dumps(values, allow_nan=False).encode() + b"\n"
        try:
            if self._file is None:
                self._file = FileIO(self.path, "a")
                self._file.truncate(self._end)
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise unwritable(self.path, error) from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _read(self, path: Path) -> None:
        """Learn what the lines hold, and where the last whole one ends."""
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    try:
                        found = self._parse(json.loads(line))
                    except ValueError:
                        if file.read(1):
                            reason = "is not a result; overwrite the results, or use another folder"
                            raise OutputError(f"{path}:{number}: {reason}") from None
                        break  # an interrupted run left half a line
                    if not line.endswith(b"\n"):
                        break
                    self.found.append(found)
                    self._end += len(line)
        except OSError as error:
            raise OutputError(f"{path}: cannot be read ({error.strerror or error})") from None


def unwritable(path: Path | str, error: OSError) -> OutputError:
    """Return the error of a file that cannot be written."""
    reason = error.strerror or error
    return OutputError(f"{path}: cannot be written ({reason}); what was written before is kept")


def _clear(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from None


def _check_same(folder: Path, settings: dict[str, Any]) -> None:
    """Refuse to go on with other settings than the evaluation began with."""
    path = folder / SETTINGS
    try:
        before = json.loads(path.read_bytes())
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise OutputError(f"{path}: cannot be read; overwrite the results, or use another folder")
    changed = sorted(key for key in settings | before if settings.get(key) != before.get(key))
    if changed:
        raise OutputError(
            f"{folder}: was begun with another {', '.join(changed)}; use the same again, overwrite the "
            "results, or use another folder"
        )
