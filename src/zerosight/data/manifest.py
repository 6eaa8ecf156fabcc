"""The one form every data set takes: JSON Lines, a header line and then one row per image.

    {"schema": 1, "name": "screws", "root": "images", "licence": "CC0-1.0", "citation": "", "source": ""}
    {"image": "good/001.png", "label": 0, "category": "screw", "split": "test"}
    {"image": "bad/002.png", "mask": "masks/002.png", "label": 1, "category": "screw", "split": "test"}

Rows are streamed, so the number of rows does not matter to memory, and each is validated as it is read: an
error names the file and the line.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from zerosight.data.rows import ManifestHeader, Record, check_name
from zerosight.errors import DataError, OutputError, did_you_mean

__all__ = [
    "Dataset",
    "Manifest",
    "ManifestHeader",
    "Record",
    "Skipped",
    "read_manifest",
    "resolve_under",
    "select",
    "write_manifest",
]

MAX_LINE = 1 << 20
"""Longest row in bytes; a longer one is no manifest row but a file of another kind."""


@dataclass(slots=True)
class Skipped:
    """Rows that were left out: how many, and the reasons of the first few.

    Attributes:
        count: Number of rows skipped.
        reasons: ``FILE:LINE: reason`` of the first ``keep`` of them.
        keep: Number of reasons to keep, so that a wholly broken file does not fill the memory.
    """

    count: int = 0
    reasons: list[str] = field(default_factory=list)
    keep: int = 20

    def add(self, reason: str) -> None:
        """Count one more row."""
        self.count += 1
        if len(self.reasons) < self.keep:
            self.reasons.append(reason)


@runtime_checkable
class Dataset(Protocol):
    """What training and evaluation read: a manifest on disk or a layout just scanned."""

    @property
    def header(self) -> ManifestHeader:
        """The facts about the data set as a whole."""

    def records(self, strict: bool = True, skipped: Skipped | None = None) -> Iterator[Record]:
        """Yield the rows in order."""

    def resolve(self, name: str) -> Path:
        """Return where an image or mask named by a row lies."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest on disk, its header read and its rows not yet.

    Attributes:
        path: The manifest file.
        header: Its first line.
    """

    path: Path
    header: ManifestHeader

    @property
    def root(self) -> Path:
        """The folder that the rows' names are relative to."""
        return self.path.parent / self.header.root

    def records(self, strict: bool = True, skipped: Skipped | None = None) -> Iterator[Record]:
        """Yield the rows one by one, each validated.

        Args:
            strict: Stop at the first bad row; otherwise leave bad rows out.
            skipped: Told of each row left out.

        Raises:
            DataError: A row is bad (``FILE:LINE: reason``) and ``strict`` is set, or the file cannot be read.
        """
        with _opened(self.path) as file:
            lines = _lines(self.path, file)
            next(lines, None)  # the header
            for number, line in lines:
                try:
                    record = Record.from_json(_parse(line))
                    _check_category(record, self.header)
                except DataError as error:
                    reason = f"{self.path}:{number}: {error}"
                    if strict:
                        raise DataError(reason) from None
                    if skipped is not None:
                        skipped.add(reason)
                    continue
                yield record

    def resolve(self, name: str) -> Path:
        """Return where an image or mask named by a row lies.

        Raises:
            DataError: The name leaves the root.
        """
        return resolve_under(self.root, name)


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a file; only its header is read.

    Args:
        path: A JSON Lines file.

    Raises:
        DataError: The file cannot be read, is empty, or its first line is not a valid header.
    """
    with _opened(path) as file:
        _, line = next(_lines(path, file), (1, b""))
    try:
        return Manifest(path, ManifestHeader.from_json(_parse(line)))
    except DataError as error:
        raise DataError(f"{path}:1: {error}") from None


def write_manifest(path: Path, header: ManifestHeader, records: Iterable[Record]) -> int:
    """Write a manifest, whole or not at all, and return the number of rows.

    An absolute root is stored relative to the manifest's folder, so that both can move together.

    Args:
        path: File to write; replaced when it exists.
        header: First line.
        records: Rows; streamed, not held.

    Raises:
        OutputError: The file cannot be written, for example because the disk is full.
        DataError: A row's category is not one of the header's.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise OutputError(f"{path}: is not a regular file; name a file to write the manifest to")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(_dump(header.relative_to(path.parent).to_json()))
            for record in records:
                _check_category(record, header)
                file.write(_dump(record.to_json()))
                count += 1
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: cannot be written ({reason}); free space or name another file") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def select(
    records: Iterable[Record],
    splits: Collection[str] | None = None,
    categories: Collection[str] | None = None,
) -> Iterator[Record]:
    """Yield the records of the given splits and categories; None takes all."""
    for record in records:
        if (splits is None or record.split in splits) and (
            categories is None or record.category in categories
        ):
            yield record


def resolve_under(root: Path, name: str) -> Path:
    """Return ``root / name``.

    Raises:
        DataError: The name is absolute, climbs out with ``..``, or no file can have it.
    """
    check_name("path", name)
    return root / name


def _check_category(record: Record, header: ManifestHeader) -> None:
    if header.categories and record.category not in header.categories:
        hint = did_you_mean(record.category, header.categories)
        raise DataError(f"category {record.category!r} is not one of the header's categories{hint}")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}); give a manifest (JSON Lines)") from None


def _lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield line numbers and lines, cutting an endless line just past the limit and passing over its rest."""
    number = 0
    try:
        while line := file.readline(MAX_LINE + 1):
            number += 1
            rest = line
            while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE + 1)
            if line.strip() or number == 1:
                yield number, line
    except OSError as error:
        raise DataError(f"{path}:{number + 1}: cannot be read ({error.strerror or error})") from None


def _parse(line: bytes) -> Any:
    if len(line) > MAX_LINE:
        raise DataError(f"the line is longer than {MAX_LINE} bytes; a manifest has one image per line")
    try:
        return json.loads(line)
    except UnicodeDecodeError:
        raise DataError("is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        cut = "" if line.endswith(b"\n") else "; the line has no end, was the file cut?"
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)[:80]
        raise DataError(f"is not a JSON object ({reason}){cut}") from None


def _dump(values: dict[str, Any]) -> str:
    return json.dumps(values, separators=(", ", ": ")) + "\n"
