"""Tables: results as JSON Lines, the record that everything else is made from, and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from zerosight.files import replacing
from zerosight.guarded.json import parse_json
from zerosight.journal import read_lines
from zerosight.types import Region

PREDICTIONS = "predictions.jsonl"
TRANSDUCTIVE, FAMILIAR = "transductive", "is_familiar"
CSV = "predictions.csv"
COLUMNS = (
    *("source", "score", "is_anomalous", "threshold", "pixel_threshold", "width", "height"),
    *("regions", "peak", "area", "heatmap", "outline", "error"),
)


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One line of predictions.jsonl about an image that was scored: a Prediction without its map.

    Attributes:
        source: As in :class:`zerosight.types.Prediction`, like all that follow up to ``regions``.
        files: What was saved for it, by kind (``heatmap``, ``outline``, ``preview``), relative to the folder.
        stamp: What identifies the file it is about, see :func:`zerosight.identity.stamp`.
        normal: The normal image that holds the patch nearest to the first region, where it was at hand.
        transductive: As in :class:`zerosight.types.Prediction`, like ``is_familiar``.
    """

    source: str
    score: float
    is_anomalous: bool
    threshold: float
    pixel_threshold: float
    height: int
    width: int
    regions: tuple[Region, ...]
    files: dict[str, str]
    stamp: str = ""
    normal: str = ""
    transductive: bool = False
    is_familiar: bool | None = None


@runtime_checkable
class AnyRow(Protocol):
    """One line of predictions.jsonl, about whatever was predicted."""

    @property
    def source(self) -> str:
        """As in :class:`zerosight.types.Prediction`."""


@dataclass(frozen=True, slots=True)
class FailedRow:
    """One line of predictions.jsonl about an image that could not be read or scored."""

    source: str
    error: str


Row = ScoredRow | FailedRow
R = TypeVar("R", bound=AnyRow)


def parse_row(line: bytes) -> Row:
    """Return one line of predictions.jsonl as a row.

    Raises:
        ValueError: The line is not JSON, or not such a row.
    """
    return parse_line(line, _scored)


def parse_line(line: bytes, scored: Callable[[dict[str, Any]], R]) -> R | FailedRow:
    """Return one line of predictions.jsonl as a row, whatever was predicted.

    Args:
        line: The line.
        scored: Returns the row of an image that was scored from its JSON values.

    Raises:
        ValueError: The line is not JSON, or not such a row.
    """
    values = parse_json(line)
    try:
        if "error" in values:
            return FailedRow(str(values["source"]), str(values["error"]))
        return scored(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def files_of(values: dict[str, Any]) -> dict[str, str]:
    """Return what was saved for an image, by kind, from the JSON values of its line."""
    return {str(kind): str(path) for kind, path in values.get("files", {}).items()}


def read_rows(path: Path, parse: Callable[[bytes], R]) -> Iterator[tuple[R, int]]:
    """Yield every row of a predictions.jsonl, with the position in bytes at which its line ends.

    A last line that an interrupted run left unfinished is dropped. An image that was run twice comes twice;
    see :func:`final_rows`.

    Args:
        path: The file.
        parse: Returns a line as a row, or raises ValueError, such as :func:`parse_row`.

    Raises:
        OutputError: The file cannot be read, or another line than the last is not a row.
    """
    return read_lines(path, parse, "run a prediction first")


def final_rows(path: Path, parse: Callable[[bytes], R]) -> Iterator[R]:
    """Yield the last row of every source, in the order of the file.

    Args:
        path: The file.
        parse: As in :func:`read_rows`.

    Raises:
        OutputError: As in :func:`read_rows`.
    """
    last = {row.source: end for row, end in read_rows(path, parse)}
    return (row for row, end in read_rows(path, parse) if last[row.source] == end)


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows as a table with the columns of ``COLUMNS``.

    ``regions`` is their number, ``peak`` and ``area`` are the first one's. Where the scores depend on the
    other images, or the model tells unfamiliar images, a last column says so.
    """
    rest, early = iter(rows), list[Row]()
    columns: tuple[str, ...] = COLUMNS
    for row in rest:
        early.append(row)
        if isinstance(row, ScoredRow):
            columns += (TRANSDUCTIVE,) if row.transductive else ()
            columns += () if row.is_familiar is None else (FAMILIAR,)
            break
    write_table(path, columns, map(_cells, chain(early, rest)))


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    """Write a table as CSV; a text that a spreadsheet would run as a formula gets an apostrophe in front.

    Args:
        path: The file.
        columns: Their names, in order.
        lines: Values by column; the ones not given stay empty.
    """
    with (
        replacing(path, "what was written before is kept") as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(map(_harmless, columns))
        for cells in lines:
            table.writerow([_harmless(cells.get(name, "")) for name in columns])


def _scored(values: dict[str, Any]) -> ScoredRow:
    """Return the row of an image that was scored for anomalies."""
    row = ScoredRow(
        source=str(values["source"]),
        score=float(values["score"]),
        is_anomalous=bool(values["is_anomalous"]),
        threshold=float(values["threshold"]),
        pixel_threshold=float(values["pixel_threshold"]),
        height=int(values["height"]),
        width=int(values["width"]),
        regions=tuple(map(_region, values["regions"])),
        files=files_of(values),
        stamp=str(values.get("stamp", "")),
        normal=str(values.get("normal", {}).get("source", "")),
        transductive=bool(values.get(TRANSDUCTIVE, False)),
        is_familiar=None if values.get(FAMILIAR) is None else bool(values[FAMILIAR]),
    )
    if not 0 <= row.score <= 1:
        raise ValueError(f"score is {row.score}")
    return row


def _cells(row: Row) -> dict[str, Any]:
    """Return the values of one line of the table."""
    if isinstance(row, FailedRow):
        return {"source": row.source, "error": row.error}
    cells: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS[:7]}
    cells |= {"is_anomalous": str(row.is_anomalous).lower(), "regions": len(row.regions)}
    cells |= {name: str(getattr(row, name)).lower() for name in (TRANSDUCTIVE, FAMILIAR)}
    if row.regions:
        cells |= {"peak": row.regions[0].peak, "area": row.regions[0].area}
    return cells | {kind: row.files[kind] for kind in ("heatmap", "outline") if kind in row.files}


def _harmless(value: Any) -> Any:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@\t\r")) else value


def _region(values: dict[str, Any]) -> Region:
    """Return a region from its JSON values."""
    left, top, right, bottom = (int(edge) for edge in values["box"])
    return Region((left, top, right, bottom), int(values["area"]), float(values["peak"]))
