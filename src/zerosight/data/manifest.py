"""The one form every data set takes: JSON Lines, a header line and then one row per image.

    {"schema": 1, "name": "screws", "root": "images", "licence": "CC0-1.0", "citation": "", "source": ""}
    {"image": "good/001.png", "label": 0, "category": "screw", "split": "test"}
    {"image": "bad/002.png", "mask": "masks/002.png", "label": 1, "category": "screw", "split": "test"}

Rows are streamed, so the number of rows does not matter to memory, and each is validated as it is read: an
error names the file and the line.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from zerosight.data.rows import ManifestHeader, Record, check_name
from zerosight.errors import DataError, OutputError, did_you_mean
from zerosight.files import replacing, sha256
from zerosight.guarded.json import parse_json
from zerosight.identity import content_of, stamp
from zerosight.stores import StoreError, fetch, is_address, join

__all__ = [
    "Dataset",
    "Manifest",
    "ManifestHeader",
    "Record",
    "Skipped",
    "called",
    "fingerprint",
    "located",
    "read_manifest",
    "resolve_under",
    "rows_sha256",
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
    """A manifest on disk or in a store, its header read and its rows not yet.

    Attributes:
        path: The manifest file.
        header: Its first line.
        address: Where it lies in a store; None where it is a file.
        content: All of it where it lies in a store, so that every pass reads the same.
    """

    path: Path
    header: ManifestHeader
    address: str | None = None
    content: bytes | None = field(default=None, repr=False)

    @property
    def root(self) -> Path:
        """The folder that the rows' names are relative to.

        Raises:
            DataError: It lies in a store.
        """
        if isinstance(self.base, Path):
            return self.base
        raise DataError(f"{self.base}: lies in a store, and this reads files; copy the data set here first")

    @property
    def base(self) -> Path | str:
        """The folder, or the address, that the rows' names are relative to.

        Raises:
            DataError: The manifest lies in a store, and its root elsewhere.
        """
        root = self.header.root
        if is_address(root):
            return root
        if self.address is None:
            return self.path.parent / root
        try:
            return join(self.address.rpartition("/")[0], root)
        except StoreError as error:
            raise DataError(f"{self.address}:1: root {root!r} {error}") from None

    def records(self, strict: bool = True, skipped: Skipped | None = None) -> Iterator[Record]:
        """Yield the rows one by one, each validated.

        Args:
            strict: Stop at the first bad row; otherwise leave bad rows out.
            skipped: Told of each row left out.

        Raises:
            DataError: A row is bad (``FILE:LINE: reason``) and ``strict`` is set, or the file cannot be read.
        """
        with _opened(self.path, self.content) as file:
            lines = _lines(called(self), file)
            next(lines, None)  # the header
            for number, line in lines:
                try:
                    record = Record.from_json(_parse(line))
                    _check_category(record, self.header)
                except DataError as error:
                    reason = f"{called(self)}:{number}: {error}"
                    if strict:
                        raise DataError(reason) from None
                    if skipped is not None:
                        skipped.add(reason)
                    continue
                yield record

    def resolve(self, name: str) -> Path:
        """Return where an image or mask named by a row lies.

        Raises:
            DataError: The name leaves the root, or lies in a store.
        """
        return resolve_under(self.root, name)


def read_manifest(path: Path | str) -> Manifest:
    """Return the manifest in a file; only its header is read. One in a store is fetched whole.

    Args:
        path: A JSON Lines file, or its address.

    Raises:
        DataError: The file cannot be read, is empty, or its first line is not a valid header.
    """
    address = path if isinstance(path, str) and is_address(path) else None
    content = None if address is None else fetch(address)
    path, name = Path(path), address or str(path)
    with _opened(path, content) as file:
        _, line = next(_lines(name, file), (1, b""))
    try:
        return Manifest(path, ManifestHeader.from_json(_parse(line)), address, content)
    except DataError as error:
        raise DataError(f"{name}:1: {error}") from None


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
    count = 0
    with (
        replacing(path, "free space or name another file") as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.write(_dump(header.relative_to(path.parent).to_json()))
        for record in records:
            _check_category(record, header)
            file.write(_dump(record.to_json()))
            count += 1
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


def fingerprint(dataset: Dataset, splits: Collection[str] | None = None, *, read: bool = False) -> str:
    """Return what changes with a row of a data set, its label or mask, or with a file that it names.

    Args:
        dataset: A manifest or a layout.
        splits: The splits that count; None takes all.
        read: Go by what the files hold, wherever they lie, instead of by place, size and time.

    Returns:
        16 hexadecimal digits.

    Raises:
        DataError: A row is bad.
    """
    digest = hashlib.blake2b(str(dataset.header.mask_threshold).encode(), digest_size=8)
    for record in select(dataset.records(), splits):
        files = (located(dataset, name) if name else None for name in (record.image, record.mask))
        known = (content_of if read else stamp)(*files)
        digest.update(f"{_dump(record.to_json())}{known}\n".encode())
    return digest.hexdigest()


def called(dataset: Dataset) -> str:
    """Return what messages call a data set: a manifest's file, or a layout's name."""
    return dataset.address or str(dataset.path) if isinstance(dataset, Manifest) else dataset.header.name


def rows_sha256(dataset: Dataset) -> str:
    """Return the SHA-256 of a manifest's file, or of the rows that a layout's manifest would have.

    Raises:
        DataError: The file cannot be read.
    """
    if isinstance(dataset, Manifest):
        given = dataset.content
        return sha256(dataset.path) if given is None else hashlib.sha256(given).hexdigest()
    digest = hashlib.sha256()
    for record in dataset.records():
        digest.update(_dump(record.to_json()).encode())
    return digest.hexdigest()


def located(dataset: Dataset, name: str) -> Path | str:
    """Return where an image or mask named by a row lies: its path, or its address in a store.

    Raises:
        DataError: The name leaves the root.
    """
    if not isinstance(dataset, Manifest) or isinstance(dataset.base, Path):
        return dataset.resolve(name)
    check_name("path", name)
    return join(dataset.base, name)


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


def _opened(path: Path, content: bytes | None = None) -> io.BufferedIOBase:
    if content is not None:
        return io.BytesIO(content)
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}); give a manifest (JSON Lines)") from None


def _lines(name: str, file: io.BufferedIOBase) -> Iterator[tuple[int, bytes]]:
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
        raise DataError(f"{name}:{number + 1}: cannot be read ({error.strerror or error})") from None


def _parse(line: bytes) -> Any:
    if len(line) > MAX_LINE:
        raise DataError(f"the line is longer than {MAX_LINE} bytes; a manifest has one image per line")
    try:
        return parse_json(line.decode())
    except UnicodeDecodeError:
        raise DataError("is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        cut = "" if line.endswith(b"\n") else "; the line has no end, was the file cut?"
        reason = str(error).removeprefix("it is not valid JSON: ")
        raise DataError(f"is not a JSON object ({reason}){cut}") from None


def _dump(values: dict[str, Any]) -> str:
    return json.dumps(values, separators=(", ", ": ")) + "\n"
