"""Outcome: what is known of one image once it was looked at, and kept on disk as one line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from zerosight.data.rows import Record

Kind = Literal["unreadable image", "unusable mask", "empty mask", "missing mask", "unusable scores"]
"""What can keep an image, or its mask, out of the metrics."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an image or its mask was left out.

    Attributes:
        kind: What is wrong.
        text: One line that names the file.
    """

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the data set after it was scored.

    Attributes:
        row: Its number in the selection, from 0.
        image: Its name, as all that follow up to ``group`` from the data set.
        category: Its category.
        label: 1 anomalous, 0 normal, None not known.
        mask: Name of its mask.
        group: What stands for the patient or object, see :func:`zerosight.data.hashing.pseudonym`.
        score: Anomaly score in [0, 1]; None where the image could not be scored.
        localisation: Average precision of the map's pixels within this image, in [0, 1]; None without
            anomalous pixels.
        counted: Whether its pixels are in the pixel metrics.
        problem: Why the image or its mask was left out.
        stamp: What identifies the files it was made of, see :meth:`Selection.stamp`.
    """

    row: int
    image: str
    category: str
    label: int | None
    mask: str | None = None
    group: str | None = None
    score: float | None = None
    localisation: float | None = None
    counted: bool = False
    problem: Problem | None = None
    stamp: str = ""

    @classmethod
    def of(cls, row: int, record: Record, problem: Problem | None = None, stamp: str = "") -> Outcome:
        """Return the outcome of a row that was read and not yet scored."""
        known = (row, record.image, record.category, record.label, record.mask, record.group)
        return cls(*known, problem=problem, stamp=stamp)

    def is_about(self, record: Record) -> bool:
        """Return whether the data set still says the same of the image."""
        known = Outcome.of(self.row, record)
        return all(
            getattr(self, name) == getattr(known, name)
            for name in ("image", "category", "label", "mask", "group")
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> Outcome:
        """Return the outcome in a parsed line.

        Raises:
            ValueError: It is no such line.
        """
        try:
            problem = values["problem"]
            outcome = cls(**values | {"problem": None if problem is None else Problem(**problem)})
            fine = outcome.score is None or 0 <= outcome.score <= 1
        except (TypeError, KeyError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None
        if not fine or type(outcome.row) is not int:
            raise ValueError(f"row {outcome.row!r}, score {outcome.score!r}")
        return outcome
