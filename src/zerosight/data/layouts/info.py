"""What is known of a data set before it is seen, and what a reader collects when it sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from zerosight.data.chest.names import NO_DISEASE, NO_FINDING
from zerosight.data.rows import Record
from zerosight.errors import DataError


@runtime_checkable
class Layout(Protocol):
    """One way to lay out images, masks and labels in folders."""

    @property
    def looks_for(self) -> str:
        """What should be in the folder, in words, for the error when it is not."""

    def matches(self, folder: Path) -> bool:
        """Return whether the folder itself looks like this layout."""

    def read(self, scan: Scan) -> None:
        """Add every image below ``scan.folder`` to the scan."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How many test images the field reports.

    Attributes:
        normal: Fewest and most normal test images (equal where only one number is reported).
        anomalous: Likewise, anomalous test images.
        categories: Per category (normal, anomalous), where reported.
    """

    normal: tuple[int, int]
    anomalous: tuple[int, int]
    categories: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableCase:
    """What a table of findings tells of one image.

    Attributes:
        image: The image as the table names it: a file's name or the end of its path, with or without suffix.
        labels: Per finding, by its canonical name, 1 present, 0 absent, None not known.
        split: The part that the owners put it in.
        patient: Whose image it is; None where the owners do not say.
        text: The report, as its author wrote it.
        view: ``frontal``, ``lateral`` or ``other``; it becomes the record's category.
    """

    image: str
    labels: Mapping[str, int | None]
    split: str = "test"
    patient: str | None = None
    text: str | None = None
    view: str = "frontal"

    @property
    def label(self) -> Literal[0, 1] | None:
        """Return 1 with any disease, 0 where the owners say that there is none, None otherwise."""
        if any(value == 1 for name, value in self.labels.items() if name not in NO_DISEASE):
            return 1
        return 0 if self.labels.get(NO_FINDING) == 1 else None


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A data set as its owners publish it.

    Attributes:
        name: What to call it on the command line.
        categories: Products or organs, in the order of the tables; views of chest X-rays.
        layout: How its folders are read.
        expected: How many test images there should be; None where any number will do.
        has_masks: Whether anomalous test images come with masks.
        mask_threshold: Mask values above it are anomalous.
        aliases: Folder names its owners or hosts use, to tell it from sets of the same layout.
        findings: Findings that its rows are labelled with, by their canonical names; empty where any may be,
            None for a set of anomalies.
        test_positives: Numbers of test images that the field reports on, and per number how many of them show
            each finding, where that is reported.
        has_reports: Whether images come with a report.
        licence: What its owners publish; ``see source`` where that is not certain.
        citation: Whom to cite.
        source: Where to get it.
    """

    name: str
    categories: tuple[str, ...]
    layout: Layout
    expected: Expected | None = None
    has_masks: bool = True
    mask_threshold: int = 0
    aliases: tuple[str, ...] = ()
    findings: tuple[str, ...] | None = None
    test_positives: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    has_reports: bool = False
    licence: str = "see source"
    citation: str = ""
    source: str = ""


@dataclass(slots=True)
class Scan:
    """What a reader has collected so far.

    Attributes:
        folder: The data set's own folder.
        info: What is known of the data set.
        rows: Records found.
        problems: One line for each thing that is not as it should be.
    """

    folder: Path
    info: DatasetInfo
    rows: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _owners: dict[Path, Path] = field(default_factory=dict)

    def add(
        self,
        image: Path,
        label: Literal[0, 1] | None,
        mask: Path | None = None,
        category: str | None = None,
        split: str = "test",
        group: str | None = None,
    ) -> None:
        """Add one image; a name that no manifest can hold is a problem, and so is a second use of a mask."""
        if mask is not None:
            owner = self._owners.setdefault(mask, image)
            if owner != image:
                self.problems.append(
                    f"mask {self.relative(mask)} is that of {self.relative(owner)}, so "
                    f"{self.relative(image)}, which it fits too, has none"
                )
                mask = None
        with self._problems():
            self.rows.append(
                Record(
                    image=self.relative(image),
                    mask=None if mask is None else self.relative(mask),
                    label=label,
                    category=category or self.info.categories[0],
                    split=split,
                    group=group,
                )
            )

    def add_case(self, image: Path, case: TableCase) -> None:
        """Add one image and what a table tells of it, likewise."""
        with self._problems():
            self.rows.append(
                Record(
                    image=self.relative(image),
                    label=case.label,
                    labels=case.labels,
                    text=case.text,
                    category=case.view,
                    split=case.split,
                    group=case.patient,
                )
            )

    def missing_mask(self, image: Path) -> None:
        """Note that an anomalous image has no mask."""
        self.problems.append(f"no mask for {self.relative(image)}")

    def unused_masks(self, masks: Iterable[Path]) -> None:
        """Note masks that belong to no image."""
        self.problems.extend(f"mask without image: {self.relative(path)}" for path in masks)

    def relative(self, path: Path) -> str:
        """Return a path below the data set's folder as a manifest writes it."""
        return path.relative_to(self.folder).as_posix()

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """Turn a record that cannot be into a problem."""
        try:
            yield
        except DataError as error:
            self.problems.append(f"not read: {error}")
