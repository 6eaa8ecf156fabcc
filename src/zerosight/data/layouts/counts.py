"""Counts: what was found beside what the field reports, and which files seem to be missing."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
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
        rows: All records found; of a set of anomalies only those of split ``test`` are counted.
    """
    if info.findings is not None:
        return _compare_findings(info, rows)
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


def _compare_findings(info: DatasetInfo, rows: Sequence[Record]) -> list[str]:
    """Return how many images there are per split, and test images with each finding beside those expected."""
    splits = Counter(row.split for row in rows)
    parts = ", ".join(f"{count} {split}" for split, count in splits.most_common())
    patients = len({row.group for row in rows if row.group is not None})
    reports = sum(row.text is not None for row in rows)
    line = f"found {parts} images"
    line += f" of {patients} patients" if patients else ""
    line += f", {reports} with a report" if info.has_reports or reports else ""
    expected = info.test_positives
    if expected:
        line += f"; expected {' or '.join(map(str, expected))} test images"
    lines = [line]
    positives = Counter(
        name for row in rows if row.split == "test" for name, value in row.labels.items() if value == 1
    )
    for name, count in expected.get(splits["test"], {}).items():
        if positives[name] != count:
            lines.append(f"{name}: found {positives[name]} test images with it, expected {count}")
    if not expected and positives:
        lines.append("test images with " + ", ".join(f"{name}: {n}" for name, n in positives.most_common()))
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
