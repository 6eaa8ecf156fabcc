"""Journals: one line of JSON per image, on disk at once, so that interrupted work can go on.

A folder holds the file of lines and one of settings, what the lines depend on: lines of other settings are
never mixed with them, and a second run is kept out while one writes (:mod:`zerosight.identity`). A line that
an interruption left half is cut off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Generic, TypeVar

from zerosight.errors import OutputError
from zerosight.files import open_lines, write_atomically
from zerosight.guarded.json import as_json, parse_json, read_json
from zerosight.identity import FolderLock, check_same

SETTINGS = "settings.json"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResumePolicy:
    """Where work keeps what it has found, and what to do about what is there.

    Attributes:
        folder: The folder; None keeps nothing.
        resume: Go on with interrupted work.
        overwrite: Start anew.
    """

    folder: Path | None = None
    resume: bool = False
    overwrite: bool = False

    def check(self, files: JournalFiles) -> None:
        """Refuse a folder that holds lines about which nothing is said; asked before the work is prepared.

        Raises:
            OutputError: It does.
        """
        if self.folder is None or self.resume or self.overwrite:
            return
        if _holds_lines(self.folder / files.lines):
            raise OutputError(f"{self.folder}: holds {files.held}, or use another folder")


@dataclass(frozen=True, slots=True)
class JournalFiles:
    """The files of a journal and what they are called.

    Attributes:
        lines: Name of the file of lines.
        settings: Name of the file of settings.
        beside: Names of files that are cleared with the lines.
        held: What a folder holds that has lines, and what can be done about it.
    """

    lines: str
    settings: str = SETTINGS
    beside: tuple[str, ...] = ()
    held: str = "an evaluation; resume or overwrite it (--resume, --overwrite)"


class LineJournal(Generic[T]):
    """The lines of one file: those that were there, and those that are added.

    Args:
        policy: Where, and what to do about lines that are there.
        settings: What the lines depend on, as JSON values; nothing is kept or compared where it is empty.
        files: The file of lines and those around it.
        parse: Returns what a line holds; raises ValueError for what is no such line.
        before_clearing: Called when lines are about to be removed, while nobody else can write.

    Attributes:
        path: The file of lines; None keeps nothing.
        found: What the lines held that were there.

    Raises:
        OutputError: The folder holds results and the policy does not say what to do, or results of other
            settings, or cannot be written or read, or another run is writing in it.
    """

    def __init__(
        self,
        policy: ResumePolicy,
        settings: Mapping[str, Any],
        files: JournalFiles,
        parse: Callable[[bytes], T],
        before_clearing: Callable[[], None] = lambda: None,
    ) -> None:
        folder = policy.folder
        self.path = folder / files.lines if folder is not None else None
        self.found: list[T] = []
        self._ends = [0]
        self._file: FileIO | None = None
        self._lock: FolderLock | None = None
        if folder is None or self.path is None:
            return
        policy.check(files)
        self._lock = _lock(folder)
        try:
            if policy.resume and not policy.overwrite and self.path.exists():
                _check_settings(folder / files.settings, as_json(settings))
                for value, end in read_lines(self.path, parse):
                    self.found.append(value)
                    self._ends.append(end)
            else:
                before_clearing()
                self._begin(folder, files, as_json(settings))
        except BaseException:
            self._lock.release()
            raise

    def keep(self, count: int) -> None:
        """Keep the first ``count`` of the lines that were there; the others are cut off with the next one."""
        del self.found[count:], self._ends[count + 1 :]

    def open(self) -> None:
        """Make the file, and cut off what an interruption left half; adding a line does it as well.

        Raises:
            OutputError: It cannot be written.
        """
        if self.path is None or self._file is not None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open_lines(self.path)
            self._file.truncate(self._ends[-1])
        except OSError as error:
            raise unwritable(self.path, error) from None

    def add(self, values: Mapping[str, Any]) -> None:
        """Put one line on disk, the whole of it or nothing.

        Raises:
            OutputError: It cannot be written; everything added before is kept.
        """
        self.open()
        if self.path is None or self._file is None:
            return
        line = json.dumps(values, allow_nan=False).encode() + b"\n"
        try:
            end = self._file.seek(0, os.SEEK_END)
            try:
                while line:
                    line = line[self._file.write(line) :]
            except OSError:
                self._file.truncate(end)
                raise
        except OSError as error:
            raise unwritable(self.path, error) from None

    def close(self) -> None:
        """Close the file and let other runs in."""
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.release()

    def _begin(self, folder: Path, files: JournalFiles, settings: dict[str, Any]) -> None:
        """Clear what was there and keep the settings."""
        _clear([folder / name for name in (files.lines, files.settings, *files.beside)])
        if settings:
            write_atomically(folder / files.settings, json.dumps(settings, indent=2).encode() + b"\n")


def of_json(parse: Callable[[Any], T]) -> Callable[[bytes], T]:
    """Return what reads a line with what reads its JSON values.

    >>> of_json(sum)(b"[1, 2]")
    3
    """
    return lambda line: parse(parse_json(line))


def read_lines(path: Path, parse: Callable[[bytes], T], advice: str = "") -> Iterator[tuple[T, int]]:
    """Yield what every line holds, with the position in bytes at which it ends, without one that is half.

    Args:
        path: The file.
        parse: Returns what a line holds; raises ValueError for what is no such line.
        advice: What the user can do where there is no file.

    Raises:
        OutputError: The file cannot be read, or another line than the last is none.
    """
    end = 0
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                end += len(line)
                try:
                    value = parse(line)
                except ValueError:
                    if not line.endswith(b"\n") or not lines.peek(1):
                        return  # an interrupted run left half a line
                    reason = "is not a result; remove the line, overwrite the results, or use another folder"
                    raise OutputError(f"{path}:{number}: {reason}") from None
                if not line.endswith(b"\n"):
                    return
                yield value, end
    except OSError as error:
        said = f"{path}: cannot be read ({error.strerror or error})"
        raise OutputError(f"{said}; {advice}" if advice else said) from None


def unwritable(path: Path | str, error: OSError) -> OutputError:
    """Return the error of a file that cannot be written."""
    reason = error.strerror or error
    return OutputError(f"{path}: cannot be written ({reason}); what was written before is kept")


def _holds_lines(path: Path) -> bool:
    """Return whether there is a file of lines with anything in it."""
    return path.exists() and path.stat().st_size > 0


def _clear(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from None


def _lock(folder: Path) -> FolderLock:
    """Make the folder if it is not there, and keep other runs out of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    return FolderLock(folder)


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    """Refuse to go on with other settings than the work began with."""
    if not settings and not path.exists():
        return
    try:
        before = read_json(path)
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise OutputError(f"{path}: cannot be read; overwrite the results, or use another folder")
    check_same(path.parent, before, settings)
