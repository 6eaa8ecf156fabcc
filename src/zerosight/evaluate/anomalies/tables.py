"""Tables: the results of a data set as rows of text, per cent with one decimal as papers print them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zerosight.evaluate.anomalies.result import DatasetResult, Evaluation
from zerosight.metrics import ImageTable, PixelTable
from zerosight.report.cells import Cell, cell, escaped, plain
from zerosight.report.table import Table, TableRow


@dataclass(frozen=True, slots=True)
class Row:
    """One category, or the mean of all.

    Attributes:
        name: The category, or what the mean is over.
        normal: Number of normal images.
        anomalous: Number of anomalous images.
        image: AUROC, AP and F1-max of the scores.
        pixel: AUROC, AP, AUPRO and F1-max of the maps.
    """

    name: str
    normal: int
    anomalous: int
    image: tuple[Cell, ...]
    pixel: tuple[Cell, ...]


IMAGE_COLUMNS = ("AUROC", "AP", "F1-max")
PIXEL_COLUMNS = ("AUROC", "AP", "AUPRO", "F1-max")
LEVELS = {"image": IMAGE_COLUMNS, "pixel": PIXEL_COLUMNS}


def rows_of(result: DatasetResult, aupro: str) -> list[Row]:
    """Return a row per category and, if there are several, their mean.

    Args:
        result: The results.
        aupro: Variant to print, ``exact`` or ``published``.
    """
    rows = [
        Row(c.name, c.image.normal, c.image.anomalous, image_cells(c.image), pixel_cells(c.pixel, aupro))
        for c in result.categories
    ]
    if len(rows) > 1:
        mean = result.mean
        image, pixel = image_cells(mean.image), pixel_cells(mean.pixel, aupro)
        rows.append(Row("mean", mean.image.normal, mean.image.anomalous, image, pixel))
    return rows


def image_cells(table: ImageTable) -> tuple[Cell, ...]:
    """Return the metrics of scores in the order of ``IMAGE_COLUMNS``."""
    return tuple(map(cell, (table.auroc, table.ap, table.f1_max)))


def pixel_cells(table: PixelTable, aupro: str) -> tuple[Cell, ...]:
    """Return the metrics of maps in the order of ``PIXEL_COLUMNS``."""
    overlap = table.aupro_exact if aupro == "exact" else table.aupro_published
    return tuple(map(cell, (table.auroc, table.ap, overlap, table.f1_max)))


def remarks(result: DatasetResult, aupro: str) -> list[str]:
    """Return what stands below a table: how often the model's yes or no is right, then the notes."""
    return [str(result.decisions), *notes(result, aupro)]


def notes(result: DatasetResult, aupro: str) -> list[str]:
    """Return why metrics are n/a, what a mean is over, and what was left out, one line each."""
    lines = []
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows_of(result, aupro)[: len(result.categories)]:
        for level, cells in (("image", row.image), ("pixel", row.pixel)):
            for reason in dict.fromkeys(c.reason for c in cells if c.reason):
                reasons.setdefault((level, reason), []).append(row.name)
    for (level, reason), names in reasons.items():
        where = "" if len(names) == len(result.categories) else f" ({', '.join(names)})"
        lines.append(f"{level} level n/a: {reason}{where}")
    for level, over in (("image", result.mean.image_over), ("pixel", result.mean.pixel_over)):
        if 0 < over < len(result.categories):
            lines.append(
                f"{level}-level mean over the {over} of {len(result.categories)} categories that have it"
            )
    lines += [f"left out, {left.kind}: {left.count}" for left in result.left_out]
    return lines


def table_of(result: DatasetResult, aupro: str) -> Table:
    """Return the results of a data set in full.

    Args:
        result: The results.
        aupro: Variant to print, ``exact`` or ``published``.
    """
    image, pixel = ([f"{level} {name}" for name in names] for level, names in LEVELS.items())
    rows: list[TableRow] = [
        (row.name, str(row.normal), str(row.anomalous), *row.image, *row.pixel)
        for row in rows_of(result, aupro)
    ]
    return Table(("category", "normal", "anomalous", *image, *pixel), tuple(rows))


def short_table(result: DatasetResult, aupro: str) -> Table:
    """Return the results of a data set as narrow as a terminal: intervals in whole per cent.

    Args:
        result: The results.
        aupro: Variant to print, ``exact`` or ``published``.
    """
    rows: list[TableRow] = [
        (row.name, str(row.normal), str(row.anomalous), *map(_narrow, (*row.image, *row.pixel)))
        for row in rows_of(result, aupro)
    ]
    columns = ("category", "norm", "anom", *IMAGE_COLUMNS, *PIXEL_COLUMNS)
    title = f"{result.header.name}: image level, then pixel level, in %"
    return Table(columns, tuple(rows), title, accents=tuple(range(3 + len(IMAGE_COLUMNS), len(columns))))


def _narrow(one: Cell) -> Cell:
    """Return a cell with its error, or else its interval in whole per cent."""
    ends = "" if one.error else "–".join(f"{float(end):.0f}" for end in one.interval.split("–") if end)
    return Cell(one.value, ends, one.error, one.reason)


def markdown(evaluation: Evaluation) -> str:
    """Return the whole evaluation as Markdown."""
    settings = evaluation.settings
    lines = [f"# {evaluation.model['model']}", ""]
    lines += [f"- {name.replace('_', ' ')}: {plain(value)}" for name, value in evaluation.model.items()]
    lines += [f"- {name.replace('_', ' ')}: {plain(value)}" for name, value in settings.items()]
    lines += ["", "Values in per cent; in brackets the 95 % bootstrap interval, after ± the largest possible"]
    lines += ["error of counting scores in bins, where it would change a digit.", ""]
    for result in evaluation.datasets:
        lines += _section(result, str(settings["aupro"]))
    return "\n".join(lines)


def _section(result: DatasetResult, aupro: str) -> Iterator[str]:
    """Yield the lines of one data set."""
    yield from (f"## {escaped(result.header.name)}", "", table_of(result, aupro).markdown())
    yield ""
    lines = remarks(result, aupro)
    for left in result.left_out:
        lines += [f"{left.kind}: {example}" for example in left.examples]
    yield from (f"- {escaped(line)}" for line in lines)
    yield ""
