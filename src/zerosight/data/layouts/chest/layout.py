"""The one way all chest X-ray sets are read: a table tells of cases, and their images lie somewhere below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from zerosight.data.layouts.chest.images import ImageIndex
from zerosight.data.layouts.counts import MAX_NAMES
from zerosight.data.layouts.info import Scan, TableCase

MAX_TEXT = 200_000
"""Longest report in characters; a longer one is no report."""


@dataclass(frozen=True, slots=True)
class ChestLayout:
    """A chest X-ray set.

    Attributes:
        looks_for: What should be in the folder, in words.
        tells: Whether a folder holds the set.
        cases: What the set's tables in a folder tell, image by image; what is odd about them becomes a
            problem of the scan.
        parts: Names at the end of an image's path that tell it from others.
    """

    looks_for: str
    tells: Callable[[Path], bool]
    cases: Callable[[Scan], Iterable[TableCase]]
    parts: int = 1

    def matches(self, folder: Path) -> bool:
        """Return whether the folder itself looks like this set."""
        return self.tells(folder)

    def read(self, scan: Scan) -> None:
        """Add every image that a table tells of; note images and table rows that have no counterpart."""
        cases = self.cases(scan)
        add_cases(scan, cases, ImageIndex(scan.folder, self.parts))


def add_cases(scan: Scan, cases: Iterable[TableCase], index: ImageIndex) -> None:
    """Add the cases whose images are there, each image once, and note what does not fit.

    Args:
        scan: Collects the records and, as problems, cases without an image, images without a case, images
            told of twice, reports too long to be reports, and patients in several splits.
        cases: In the order of the records.
        index: The images.
    """
    missing: list[str] = []
    twice: list[str] = []
    long: list[str] = []
    used: dict[Path, Mapping[str, int | None]] = {}
    same: dict[tuple[tuple[str, int | None], ...], Mapping[str, int | None]] = {}
    for case in cases:
        image = index.find(case.image)
        if image is None:
            missing.append(case.image)
        elif image in used:
            how = "the same" if used[image] == case.labels else "other"
            twice.append(f"{case.image}, with {how} labels")
        else:
            # one object per set of labels: there are few, and images may be half a million
            used[image] = labels = same.setdefault(tuple(case.labels.items()), case.labels)
            if case.text is not None and len(case.text) > MAX_TEXT:
                long.append(case.image)
                case = replace(case, text=None)
            scan.add_case(image, replace(case, labels=labels))
    names = {scan.relative(image) for image in used}
    note(scan, "missing file", missing)
    note(scan, "listed twice, read once", twice)
    note(scan, f"report of more than {MAX_TEXT} characters left out", long)
    note(scan, "in no table", [name for name in index.names() if name not in names])
    note(scan, "patient in several splits", _straddling(scan))


def note(scan: Scan, what: str, names: list[str]) -> None:
    """Add a problem for each of the first few names, and one that counts the rest."""
    scan.problems += [f"{what}: {name}" for name in names[:MAX_NAMES]]
    if len(names) > MAX_NAMES:
        scan.problems.append(f"{what}: {len(names) - MAX_NAMES} more")


def _straddling(scan: Scan) -> list[str]:
    """Return the patients with images in more than one split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for row in scan.rows:
        if row.group is not None:
            splits[row.group].add(row.split)
    return [f"{patient} ({', '.join(sorted(of))})" for patient, of in splits.items() if len(of) > 1]
