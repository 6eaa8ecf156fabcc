"""The doors to all data sets: which there are, and any of them as records with a report on what was found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zerosight.data.layouts.chest import CHEST, FINDINGS_CSV
from zerosight.data.layouts.counts import compare_counts
from zerosight.data.layouts.folder import FolderTree
from zerosight.data.layouts.industrial import INDUSTRIAL
from zerosight.data.layouts.info import DatasetInfo, Scan
from zerosight.data.layouts.locate import locate
from zerosight.data.layouts.medical import MEDICAL
from zerosight.data.manifest import Dataset, ManifestHeader, Record, Skipped, read_manifest, resolve_under
from zerosight.data.pixels import one_line
from zerosight.errors import DataError, did_you_mean

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


def list_layouts() -> tuple[DatasetInfo, ...]:
    """Return all known data sets: of anomalies, of chest findings, and last a table or folder of your own."""
    return (*INDUSTRIAL, *MEDICAL, *CHEST, FINDINGS_CSV, FOLDER)


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
    """Return the data set that a command line names: ``LAYOUT:ROOT``, ``manifest:FILE`` or just a manifest.

    Args:
        text: As above, such as ``mvtec_ad:/data/mvtec`` or ``parts.jsonl``.

    Raises:
        DataError: Nothing readable is there.
    """
    name, colon, rest = text.partition(":")
    if colon and name == MANIFEST:
        return read_manifest(Path(rest))
    if colon and name.isidentifier() and len(name) > 1 and not os.path.exists(text):
        return read_layout(name, Path(rest))
    if os.path.isdir(text):
        raise DataError(
            f"{text}: is a folder; write LAYOUT:{text}, where LAYOUT may be 'folder' or a data set"
        )
    return read_manifest(Path(text))
