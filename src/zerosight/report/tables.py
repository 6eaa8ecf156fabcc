"""Tables: results as JSON Lines, the record that everything else is made from, and as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from zerosight.errors import OutputError
from zerosight.types import Region

PREDICTIONS = "predictions.jsonl"
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
    values = json.loads(line)
    try:
        if "error" in values:
            return FailedRow(str(values["source"]), str(values["error"]))
        row = ScoredRow(
            source=str(values["source"]),
            score=float(values["score"]),
            is_anomalous=bool(values["is_anomalous"]),
            threshold=float(values["threshold"]),
            pixel_threshold=float(values["pixel_threshold"]),
            height=int(values["height"]),
            width=int(values["width"]),
            regions=tuple(map(_region, values["regions"])),
            files={str(kind): str(path) for kind, path in values.get("files", {}).items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if not 0 <= row.score <= 1:
        raise ValueError(f"score is {row.score}")
    return row


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
    try:
        with path.open("rb") as lines:
            end = 0
            for number, line in enumerate(lines, start=1):
                end += len(line)
                try:
                    row = parse(line)
                except ValueError:
                    if not line.endswith(b"\n") or not lines.peek(1):
                        return
                    raise OutputError(
                        f"{path}: line {number} is not a result; remove it, or use another folder"
                    ) from None
                if not line.endswith(b"\n"):
                    return
                yield row, end
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({error.strerror}); run a prediction first") from None


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

    ``regions`` is their number, ``peak`` and ``area`` are the first one's.
    """
    write_table(path, COLUMNS, map(_cells, rows))


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    """Write a table as CSV; a text that a spreadsheet would run as a formula gets an apostrophe in front.

    Args:
        path: The file.
        columns: Their names, in order.
        lines: Values by column; the ones not given stay empty.
    """
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        table = csv.writer(file)
        table.writerow(map(_harmless, columns))
        for cells in lines:
            table.writerow([_harmless(cells.get(name, "")) for name in columns])


def _cells(row: Row) -> dict[str, Any]:
    """Return the values of one line of the table."""
    if isinstance(row, FailedRow):
        return {"source": row.source, "error": row.error}
    cells: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS[:7]}
    cells |= {"is_anomalous": str(row.is_anomalous).lower(), "regions": len(row.regions)}
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
