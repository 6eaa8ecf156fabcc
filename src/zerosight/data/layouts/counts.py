"""Counts: what was found beside what the field reports, and which files seem to be missing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from zerosight.data.layouts.info import DatasetInfo
from zerosight.data.rows import Record

MAX_NAMES = 10
"""Missing files named one by one; more are counted."""


def compare_counts(info: DatasetInfo, rows: Sequence[Record]) -> list[str]:
    """Return the number of test images found beside the number expected, then what differs.

    Args:
        info: What is known of the data set.
        rows: All records found; only those of split ``test`` are counted.
    """
    test = [row for row in rows if row.split == "test"]
    normal, anomalous, masks = _tally(test)
    line = f"found {normal} normal and {anomalous} anomalous test images, {masks} masks"
    expected = info.expected
    if expected is None:
        return [line]
    line += f"; expected {_span(expected.normal)} normal and {_span(expected.anomalous)} anomalous"
    lines = [line]
    differs = not (_within(normal, expected.normal) and _within(anomalous, expected.anomalous))
    for category, (want_normal, want_anomalous) in expected.categories.items():
        found = _tally(row for row in test if row.category == category)[:2]
        if sum(found) == 0:
            lines.append(f"category {category} is missing")
        elif found != (want_normal, want_anomalous):
            lines.append(
                f"category {category}: found {found[0]} normal and {found[1]} anomalous, "
                f"expected {want_normal} and {want_anomalous}"
            )
    if not expected.categories:
        present = {row.category for row in test}
        lines += [f"category {name} is missing" for name in info.categories if name not in present]
    if differs and normal + anomalous < expected.normal[0] + expected.anomalous[0]:
        lines += _gaps(test)
    return lines


def _tally(rows: Iterable[Record]) -> tuple[int, int, int]:
    """Return the numbers of normal images, anomalous images and masks."""
    normal = anomalous = masks = 0
    for row in rows:
        normal += row.label == 0
        anomalous += row.label == 1
        masks += row.mask is not None
    return normal, anomalous, masks


def _gaps(rows: Iterable[Record]) -> list[str]:
    """Return the files that the numbering of their neighbours suggests are missing."""
    runs: dict[tuple[str, str, str], dict[int, str]] = defaultdict(dict)
    for row in rows:
        path = PurePosixPath(row.image)
        numbered = re.fullmatch(r"(.*?)(\d{1,9})", path.stem)
        if numbered:
            prefix, digits = numbered.groups()
            runs[str(path.parent), prefix, path.suffix][int(digits)] = digits
    missing = []
    for (parent, prefix, suffix), numbers in runs.items():
        low, high = 0 if 0 in numbers else 1, max(numbers)
        if high - low + 1 > 2 * len(numbers):  # not a plain numbering
            continue
        width = len(next(iter(numbers.values()))) if next(iter(numbers.values())).startswith("0") else 0
        missing += [
            f"{parent}/{prefix}{number:0{width}d}{suffix}"
            for number in range(low, high + 1)
            if number not in numbers
        ]
    lines = [f"missing by its number: {name}" for name in missing[:MAX_NAMES]]
    if len(missing) > MAX_NAMES:
        lines.append(f"missing by their numbers: {len(missing) - MAX_NAMES} more")
    return lines


def _within(count: int, span: tuple[int, int]) -> bool:
    return span[0] <= count <= span[1]


def _span(span: tuple[int, int]) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]} to {span[1]}"
