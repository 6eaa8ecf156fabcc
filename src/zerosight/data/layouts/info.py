"""What is known of a data set before it is seen, and what a reader collects when it sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

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
class DatasetInfo:
    """A data set as its owners publish it.

    Attributes:
        name: What to call it on the command line.
        categories: Products or organs, in the order of the tables.
        layout: How its folders are read.
        expected: How many test images there should be; None where any number will do.
        has_masks: Whether anomalous test images come with masks.
        mask_threshold: Mask values above it are anomalous.
        aliases: Folder names its owners or hosts use, to tell it from sets of the same layout.
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

    def add(
        self,
        image: Path,
        label: Literal[0, 1] | None,
        mask: Path | None = None,
        category: str | None = None,
        split: str = "test",
        group: str | None = None,
    ) -> None:
        """Add one image; a name that cannot stand in a manifest becomes a problem."""
        try:
            row = Record(
                image=self.relative(image),
                mask=None if mask is None else self.relative(mask),
                label=label,
                category=category or self.info.categories[0],
                split=split,
                group=group,
            )
        except DataError as error:
            self.problems.append(f"not read: {error}")
            return
        self.rows.append(row)

    def missing_mask(self, image: Path) -> None:
        """Note that an anomalous image has no mask."""
        self.problems.append(f"no mask for {self.relative(image)}")

    def relative(self, path: Path) -> str:
        """Return a path below the data set's folder as a manifest writes it."""
        return path.relative_to(self.folder).as_posix()
