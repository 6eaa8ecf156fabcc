"""The picture of a study: each variant's difference to the reference, with its interval, on one scale."""

from __future__ import annotations

from dataclasses import dataclass

from zerosight.ablate.outcome import Measured
from zerosight.ablate.tables import Column, StudyTables

LINE, WIDTH, WORDS = 20.0, 360.0, 240.0
"""Height of a variant's line, width of the scale, and width of its name, in units of the SVG."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One variant on the scale.

    Attributes:
        name: Its name.
        heading: Whether it is the name of a group, which has no marks.
        y: Height of its middle.
        x: Place of the difference.
        low: Place of the interval's lower end.
        high: Place of its upper end.
        tone: ``better``, ``worse`` or ``even``: whether zero lies outside the interval.
        text: The difference in print.
    """

    name: str
    heading: bool
    y: float
    x: float = 0.0
    low: float = 0.0
    high: float = 0.0
    tone: str = "even"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """All marks of one metric.

    Attributes:
        title: The metric.
        marks: Names of groups and variants, from the top.
        zero: Place of no difference.
        ticks: Places and names of the scale's lines.
        height: Of the whole.
    """

    title: str
    marks: tuple[Mark, ...]
    zero: float
    ticks: tuple[tuple[float, str], ...]
    height: float


def picture(tables: StudyTables, column: Column) -> Picture:
    """Return the picture of one column's differences."""
    reach = max([0.01, *(bound for row in tables.rows for bound in _bounds(row.differences.get(column)))])
    reach = min(reach, 0.5)

    def place(value: float) -> float:
        return WORDS + WIDTH / 2 + WIDTH / 2 * max(-1.0, min(1.0, value / reach))

    marks: list[Mark] = []
    for group in tables.groups:
        rows = [row for row in tables.of(group) if row.name != tables.reference and column in row.differences]
        if not rows:
            continue
        marks.append(Mark(group, True, LINE * (len(marks) + 1)))
        for row in rows:
            found = row.differences[column]
            interval = found.interval
            low, high = (interval.low, interval.high) if interval else (found.value, found.value)
            tone = "better" if low > 0 else "worse" if high < 0 else "even"
            y = LINE * (len(marks) + 1)
            text = f"{100 * found.value:+.1f}"
            marks.append(Mark(row.name, False, y, place(found.value), place(low), place(high), tone, text))
    steps = (-1.0, -0.5, 0.0, 0.5, 1.0)
    ticks = tuple((place(reach * step), f"{100 * reach * step:+.1f}") for step in steps)
    return Picture(column.title, tuple(marks), place(0.0), ticks, LINE * (len(marks) + 2))


def _bounds(found: Measured | None) -> tuple[float, ...]:
    """Return how far a difference and its interval reach from zero."""
    if found is None or not found.is_defined:
        return ()
    interval = found.interval
    return (abs(found.value),) if interval is None else (abs(interval.low), abs(interval.high))
