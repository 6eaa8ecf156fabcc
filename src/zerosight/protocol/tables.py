"""Tables: what was measured beside what was published, and the differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zerosight.protocol.published import (
    IMAGE,
    IMAGE_METRICS,
    INDUSTRIAL,
    MEDICAL,
    PIXEL,
    PIXEL_METRICS,
)
from zerosight.report.cells import Cell
from zerosight.report.table import Table, TableRow

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """One data set, or a mean, at one level.

    Attributes:
        name: The data set, or which mean.
        auxiliary: What the model was trained on, empty for a mean.
        ours: Measured values in per cent, None where undefined.
        published: Published values in per cent, None where there are none.
    """

    name: str
    auxiliary: str
    ours: Values
    published: Values

    @property
    def differences(self) -> Values:
        """Ours minus published, None where either is missing."""
        pairs = zip(self.ours, self.published, strict=True)
        return tuple(None if a is None or b is None else a - b for a, b in pairs)

    def to_json(self, metrics: Sequence[str]) -> dict[str, Any]:
        """Return plain JSON values, by metric."""
        cells = zip(metrics, self.ours, self.published, self.differences, strict=True)
        values = {
            metric: {"ours": ours, "published": published, "difference": difference}
            for metric, ours, published, difference in cells
        }
        return {"name": self.name, "auxiliary": self.auxiliary} | values


@dataclass(frozen=True, slots=True)
class ProtocolTables:
    """The paper's two tables.

    Attributes:
        image: Image level: AUROC, AP, F1-max.
        pixel: Pixel level: AUROC, AUPRO, F1-max.
    """

    image: tuple[ProtocolRow, ...]
    pixel: tuple[ProtocolRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "image": [row.to_json(IMAGE_METRICS) for row in self.image],
            "pixel": [row.to_json(PIXEL_METRICS) for row in self.pixel],
        }

    def to_markdown(self) -> str:
        """Return both tables as Markdown."""
        lines = ["# ViP²-CLIP's protocol", "", "Per cent: measured, published, difference."]
        for title, metrics, rows in (
            ("Image level", IMAGE_METRICS, self.image),
            ("Pixel level", PIXEL_METRICS, self.pixel),
        ):
            lines += ["", f"## {title}", "", level_table(metrics, rows).markdown(escape=False)]
        return "\n".join(lines) + "\n"


def make_tables(found: Mapping[tuple[str, str], Mapping[str, Any]]) -> ProtocolTables:
    """Return the tables of evaluations.

    Args:
        found: By (auxiliary set, test set), the ``mean`` of its evaluation as JSON values.
    """
    order = {name: place for place, name in enumerate(INDUSTRIAL + MEDICAL)}
    keys = sorted(found, key=lambda key: (order.get(key[1], len(order)), key[1], key[0]))
    image = [_row(key, found[key]["image"], IMAGE_METRICS, IMAGE) for key in keys]
    pixel = [_row(key, found[key]["pixel"], PIXEL_METRICS, PIXEL) for key in keys]
    return ProtocolTables(_with_means(image), _with_means(pixel))


def number(value: float | None, signed: bool = False) -> str:
    """Return a value in print.

    >>> number(91.24), number(-0.31, signed=True), number(None)
    ('91.2', '-0.3', 'n/a')
    """
    if value is None:
        return "n/a"
    return f"{value:+.1f}" if signed else f"{value:.1f}"


def _row(
    key: tuple[str, str],
    values: Mapping[str, Any],
    metrics: Sequence[str],
    published: Mapping[str, Sequence[float]],
) -> ProtocolRow:
    auxiliary, name = key
    names = ["aupro_published" if metric == "aupro" else metric for metric in metrics]
    ours = [values[metric]["value"] for metric in names]
    theirs = published.get(name, (None,) * len(metrics))
    return ProtocolRow(name, auxiliary, tuple(None if v is None else 100 * v for v in ours), tuple(theirs))


def _with_means(rows: Sequence[ProtocolRow]) -> tuple[ProtocolRow, ...]:
    """Return the rows that say anything, then the mean of each domain over the sets that have both values."""
    kept = [row for row in rows if any(v is not None for v in (*row.ours, *row.published))]
    means = []
    for title, names in (("industrial", INDUSTRIAL), ("medical", MEDICAL)):
        chosen = [row for row in kept if row.name in names and None not in row.differences]
        if len(chosen) > 1:
            ours, theirs = (
                tuple(sum(column) / len(chosen) for column in zip(*values, strict=True))
                for values in ([r.ours for r in chosen], [r.published for r in chosen])
            )
            means.append(ProtocolRow(f"{title} mean ({len(chosen)})", "", ours, theirs))
    return (*kept, *means)


def level_table(metrics: Sequence[str], rows: Sequence[ProtocolRow]) -> Table:
    """Return one level's table in full."""
    columns = [f"{metric} {kind}" for metric in metrics for kind in ("ours", "published", "±")]
    cells = [(row.name, row.auxiliary, *_numbers(row)) for row in rows]
    return Table(("data", "trained on", *columns), tuple(cells), words=(0, 1))


def short_table(title: str, metrics: Sequence[str], rows: Sequence[ProtocolRow]) -> Table:
    """Return one level's table as narrow as a terminal.

    Args:
        title: What it shows.
        metrics: What to call the metrics.
        rows: The rows.
    """
    columns = [name for metric in metrics for name in (metric, "paper", "±")]
    cells: list[TableRow] = [
        (Cell(row.name, row.auxiliary and f"by {row.auxiliary}"), *_numbers(row)) for row in rows
    ]
    return Table(("in %", *columns), tuple(cells), title)


def _numbers(row: ProtocolRow) -> Iterator[str]:
    for ours, theirs, change in zip(row.ours, row.published, row.differences, strict=True):
        yield from (number(ours), number(theirs), number(change, signed=True))
