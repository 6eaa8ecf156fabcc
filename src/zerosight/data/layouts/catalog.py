"""The doors to all data sets: which there are, and any of them as records with a report on what was found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from zerosight.data.hashing import pseudonym
from zerosight.data.layouts.chest import CHEST, FINDINGS_CSV
from zerosight.data.layouts.counts import compare_counts
from zerosight.data.layouts.folder import FolderTree
from zerosight.data.layouts.industrial import INDUSTRIAL
from zerosight.data.layouts.info import DatasetInfo, Scan
from zerosight.data.layouts.locate import locate
from zerosight.data.layouts.medical import MEDICAL
from zerosight.data.manifest import (
    Dataset,
    Manifest,
    ManifestHeader,
    Record,
    Skipped,
    read_manifest,
    resolve_under,
)
from zerosight.errors import DataError, did_you_mean, one_line
from zerosight.plugins import DATASETS, plug_ins
from zerosight.stores import MissingError, is_address, local

FOLDER = DatasetInfo("folder", ("default",), FolderTree(), has_masks=False, licence="")
MANIFEST = "manifest"
"""The layout name under which :func:`open_dataset` reads a manifest."""

_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")


@dataclass(frozen=True, slots=True)
class LayoutDataset:
    """A data set just read from its folders.

    Attributes:
        header: As a manifest's; its root is the data set's own folder, absolute.
        info: What is known of the data set.
        rows: The records, by category.
        problems: What was not as it should be, one line each: files missing, masks without image …
    """

    header: ManifestHeader
    info: DatasetInfo
    rows: tuple[Record, ...]
    problems: tuple[str, ...]

    def records(self, strict: bool = True, skipped: Skipped | None = None) -> Iterator[Record]:
        """Yield the records; none can be bad, so the arguments, which a manifest has too, change nothing."""
        yield from self.rows

    def resolve(self, name: str) -> Path:
        """Return where an image or mask named by a record lies."""
        return resolve_under(Path(self.header.root), name)

    def report(self) -> tuple[str, ...]:
        """Return what was found beside what was expected, one line each, then the problems."""
        return (*compare_counts(self.info, self.rows), *self.problems)

    def unnamed(self) -> LayoutDataset:
        """Return it with patients told apart but not named, as a manifest that is handed on should be.

        A group becomes a hash of itself and the data set's name: the same patient has the same group in every
        manifest of one data set, and another one elsewhere. Groups of parts, which are no patients, stay.
        """
        if self.info.findings is None:
            return self
        rows = (
            row if row.group is None else replace(row, group=pseudonym(row.group, self.header.name))
            for row in self.rows
        )
        return replace(self, rows=tuple(rows))


def list_layouts() -> tuple[DatasetInfo, ...]:
    """Return all known data sets: of anomalies, of chest findings, of plug-ins, and last your own.

    A plug-in cannot take the name of a data set of the package.
    """
    published, of_your_own = (*INDUSTRIAL, *MEDICAL, *CHEST), (FINDINGS_CSV, FOLDER)
    taken = {MANIFEST, *(info.name for info in (*published, *of_your_own))}
    added = plug_ins(DATASETS, lambda found: isinstance(found, DatasetInfo), "a DatasetInfo").values()
    return (*published, *(info for info in added if info.name not in taken), *of_your_own)


def find_layout(name: str) -> DatasetInfo:
    """Return what is known of a data set.

    Raises:
        DataError: No data set is called so.
    """
    known = {info.name: info for info in list_layouts()}
    if name not in known:
        hint = did_you_mean(name, known)
        raise DataError(f"no layout is called {name[:80]!r}{hint}; known: {', '.join(known)}")
    return known[name]


def read_layout(name: str, root: Path) -> LayoutDataset:
    """Return a data set read from folders laid out as its owners publish them.

    Args:
        name: One of :func:`list_layouts`.
        root: The data set's folder, or one that holds it.

    Raises:
        DataError: The name is not known, or no such data set is below the root; the message says what was
            looked for and what was found.
    """
    info = find_layout(name)
    folder, notes = locate(info, root, list_layouts())
    scan = Scan(folder.absolute(), info, problems=notes)
    info.layout.read(scan)
    if not scan.rows:
        raise DataError(f"{folder}: has no images; looked for {info.layout.looks_for}")
    found = dict.fromkeys(row.category for row in scan.rows)
    categories = tuple(dict.fromkeys([c for c in info.categories if c in found] + list(found)))
    rows = sorted(scan.rows, key=lambda row: categories.index(row.category))
    threshold = info.mask_threshold
    if any(row.mask is not None and row.mask.lower().endswith(_LOSSY) for row in rows):
        threshold = max(threshold, 127)
    header = ManifestHeader(
        info.name, str(scan.folder), info.licence, info.citation, info.source, threshold, categories
    )
    return LayoutDataset(header, info, tuple(rows), tuple(map(one_line, scan.problems)))


def open_dataset(text: str) -> Dataset:
    """Return the data set that a command line names: ``LAYOUT:ROOT``, ``manifest:FILE`` or just a path.

    A path is a manifest, or a folder of images of your own, as in ``folder:ROOT``. An address in a store is a
    manifest's.

    Args:
        text: As above, such as ``mvtec_ad:/data/mvtec``, ``parts.jsonl`` or ``s3://bucket/set/manifest.jsonl``.

    Raises:
        DataError: Nothing readable is there.
    """
    text = local(text)
    if is_address(text):
        return _stored(text)
    name, colon, rest = text.partition(":")
    if colon and name == MANIFEST:
        return _stored(rest) if is_address(rest) else read_manifest(Path(local(rest)))
    if is_address(rest):
        raise DataError(
            f"{one_line(text)}: layouts are read from folders; put a manifest beside the images "
            "(zerosight data build), and give its address"
        )
    if colon and name.isidentifier() and len(name) > 1 and not os.path.exists(text):
        return read_layout(name, Path(rest))
    if os.path.isdir(text):
        try:
            return read_layout("folder", Path(text))
        except DataError as error:
            if (manifest := Path(text) / "manifest.jsonl").is_file():
                raise DataError(f"{error}; its manifest is {manifest}") from None
            if not any(Path(text).glob("*.csv")):
                raise
            raise DataError(f"{error}; a table of findings is read as findings_csv:{text}") from None
    if not os.path.exists(text):
        how = "give LAYOUT:ROOT, a folder or a manifest"
        raise DataError(f"{one_line(text)}: cannot be read (no such file or folder); {how}")
    return read_manifest(Path(text))


def _stored(address: str) -> Manifest:
    """Return the manifest at an address."""
    try:
        return read_manifest(address)
    except MissingError as error:
        raise DataError(f"{error}; give the address of a manifest, such as …/manifest.jsonl") from None
