"""Check: read every image and mask of a data set once and report what would spoil training or evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

from zerosight.data.ahead import read_ahead
from zerosight.data.hashing import hash_file
from zerosight.data.manifest import Dataset, Skipped
from zerosight.data.masks import read_mask
from zerosight.data.pixels import read_image
from zerosight.data.rows import Record
from zerosight.errors import DataError, ZerosightError, one_line

Kind = Literal[
    "bad row",
    "unreadable image",
    "unreadable mask",
    "mask of another size",
    "empty mask",
    "missing mask",
    "lossy mask",
    "changed file",
    "duplicate",
    "duplicate across splits",
    "label conflict",
]
"""What can be wrong, in the order of the report."""

LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
READ_AHEAD = 8
"""Images in flight per thread."""


@dataclass(frozen=True, slots=True)
class Issue:
    """All that is wrong in one way.

    Attributes:
        kind: In which way.
        count: How often.
        examples: One line each, of the first ones.
    """

    kind: Kind
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What reading a whole data set has shown.

    Attributes:
        name: Name of the data set.
        images: Images listed.
        masks: Masks listed.
        regions: Masks of findings listed, beside those.
        normal: Images with label 0.
        anomalous: Images with label 1.
        issues: What is wrong; empty when nothing is.
    """

    name: str
    images: int
    masks: int
    normal: int
    anomalous: int
    issues: tuple[Issue, ...]
    regions: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.issues

    def count(self, kind: Kind) -> int:
        """Return how often something is wrong in one way."""
        return sum(issue.count for issue in self.issues if issue.kind == kind)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "name": self.name,
            "images": self.images,
            "masks": self.masks,
            "regions": self.regions,
            "normal": self.normal,
            "anomalous": self.anomalous,
            "clean": self.clean,
            "findings": [
                {"kind": one.kind, "count": one.count, "examples": list(one.examples)} for one in self.issues
            ],
        }

    def to_text(self, examples: int = 5) -> str:
        """Return the report for reading, with at most so many examples of each kind."""
        unknown = self.images - self.normal - self.anomalous
        regions = f", {self.regions} masks of findings" if self.regions else ""
        lines = [
            f"{self.name}: {self.images} images ({self.normal} normal, {self.anomalous} anomalous, "
            f"{unknown} without label), {self.masks} masks{regions}"
        ]
        for issue in self.issues:
            lines.append(f"{issue.kind}: {issue.count}")
            lines += [f"  {example}" for example in issue.examples[:examples]]
            if issue.count > min(examples, len(issue.examples)):
                lines.append(f"  and {issue.count - min(examples, len(issue.examples))} more")
        return "\n".join(lines if self.issues else [*lines, "nothing wrong"])


def check(
    dataset: Dataset,
    progress: Callable[[int], None] | None = None,
    workers: int = 4,
    keep: int = 1000,
) -> CheckReport:
    """Return what is wrong with a data set's rows, images and masks.

    Every image and mask is decoded and every image hashed, in threads; the report does not depend on their
    number. Memory holds the images in flight and, per image, its hash and name.

    Args:
        dataset: A manifest or a layout; its bad rows are counted, not raised.
        progress: Called with the number of images done, after each.
        workers: Threads, at least 1.
        keep: Examples to keep of each kind, at least 0; all are counted.

    Raises:
        DataError: The manifest itself cannot be read.
    """
    tally = _Tally(keep)
    skipped = Skipped(keep=keep)
    threshold = dataset.header.mask_threshold
    seen = _Seen(tally)
    records = dataset.records(strict=False, skipped=skipped)
    look = partial(_look, dataset)
    for done, looked in enumerate(read_ahead(records, look, workers, READ_AHEAD * workers), start=1):
        record = looked.record
        tally.add_record(record, threshold)
        for kind, text in looked.problems:
            tally.add(kind, text)
        if looked.hash is not None:
            seen.add(record, looked.hash)
        if progress is not None:
            progress(done)
    return tally.report(dataset.header.name, skipped)


@dataclass(frozen=True, slots=True)
class _Looked:
    """What reading one record's files has shown."""

    record: Record
    hash: str | None
    problems: tuple[tuple[Kind, str], ...]


def _look(dataset: Dataset, record: Record) -> _Looked:
    """Read one record's image and mask."""
    problems: list[tuple[Kind, str]] = []
    digest, shape = None, None
    try:
        path = dataset.resolve(record.image)
        image = read_image(path)
        shape = (image.height, image.width)
        digest = hash_file(path)
        if record.hash is not None and digest != record.hash:
            problems.append(("changed file", f"{path}: content is not what the manifest's hash says"))
    except ZerosightError as error:
        problems.append(("unreadable image", str(error)))
    if record.mask is not None:
        problems += _look_at_mask(dataset, record.mask, shape, record.label == 1)
    for finding, region in record.regions.items():
        if isinstance(region, str):
            there = record.labels.get(finding) == 1
            problems += _look_at_mask(dataset, region, shape, there)
    return _Looked(record, digest, tuple(problems))


def _look_at_mask(
    dataset: Dataset, name: str, shape: tuple[int, int] | None, is_there: bool
) -> list[tuple[Kind, str]]:
    """Read one mask, and return what is wrong with it.

    Args:
        dataset: Where it is.
        name: The mask.
        shape: Height and width of its image; None where that cannot be read.
        is_there: Whether the image is said to show what the mask marks.
    """
    problems: list[tuple[Kind, str]] = []
    try:
        path = dataset.resolve(name)
        mask = read_mask(path, dataset.header.mask_threshold)
    except DataError as error:
        return [("unreadable mask", str(error))]
    if shape is not None and mask.shape != shape:
        sizes = f"{mask.shape[1]}×{mask.shape[0]}, its image {shape[1]}×{shape[0]}"
        problems.append(("mask of another size", f"{path}: {sizes}"))
    if is_there and not mask.any():
        problems.append(("empty mask", f"{path}: marks no pixel, but its image has label 1"))
    return problems


@dataclass(slots=True)
class _Tally:
    """Counts, and examples of what is wrong."""

    keep: int
    images: int = 0
    masks: int = 0
    regions: int = 0
    labels: dict[int | None, int] = field(default_factory=lambda: {0: 0, 1: 0, None: 0})
    counts: dict[Kind, int] = field(default_factory=dict)
    examples: dict[Kind, list[str]] = field(default_factory=dict)

    def add(self, kind: Kind, text: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        examples = self.examples.setdefault(kind, [])
        if len(examples) < self.keep:
            examples.append(one_line(text))

    def add_record(self, record: Record, threshold: int) -> None:
        self.images += 1
        self.masks += record.mask is not None
        marked = [one for one in record.regions.values() if isinstance(one, str)]
        self.regions += len(marked)
        self.labels[record.label] += 1
        if record.mask is None and record.label == 1:
            self.add("missing mask", f"{record.image}: label 1, but no mask")
        for mask in (*([record.mask] if record.mask is not None else []), *marked):
            if threshold < 64 and PurePosixPath(mask).suffix.lower() in LOSSY:
                text = f"{mask}: is a JPEG; set mask_threshold to 127 in the header, it is {threshold}"
                self.add("lossy mask", text)

    def report(self, name: str, skipped: Skipped) -> CheckReport:
        if skipped.count:
            self.counts["bad row"], self.examples["bad row"] = skipped.count, skipped.reasons
        if not self.masks:
            self.counts.pop("missing mask", None)  # a set without masks is whole, one with a few is not
        issues = tuple(
            Issue(kind, self.counts[kind], tuple(self.examples[kind]))
            for kind in get_args(Kind)
            if kind in self.counts
        )
        return CheckReport(
            name, self.images, self.masks, self.labels[0], self.labels[1], issues, self.regions
        )


@dataclass(slots=True)
class _Seen:
    """The first record of every content, to compare later ones with."""

    tally: _Tally
    first: dict[bytes, tuple[str, str, int | None]] = field(default_factory=dict)

    def add(self, record: Record, digest: str) -> None:
        key = bytes.fromhex(digest)[:16]
        if key not in self.first:
            self.first[key] = (record.image, record.split, record.label)
            return
        name, split, label = self.first[key]
        kind: Kind = "duplicate" if split == record.split else "duplicate across splits"
        self.tally.add(kind, f"{record.image} ({record.split}): same content as {name} ({split})")
        if label is None:
            self.first[key] = (name, split, record.label)
        elif record.label is not None and record.label != label:
            text = f"{record.image}: label {record.label}, but {name} of the same content has label {label}"
            self.tally.add("label conflict", text)
