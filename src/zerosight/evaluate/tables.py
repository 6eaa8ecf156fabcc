"""Tables: the results of a data set as rows of text, per cent with one decimal as papers print them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zerosight.evaluate.result import DatasetResult, Evaluation
from zerosight.metrics import ImageTable, PixelTable
from zerosight.report.cells import Cell, cell, escaped, plain


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
    head = [
        "category",
        "normal",
        "anomalous",
        *(f"image {name}" for name in IMAGE_COLUMNS),
        *(f"pixel {name}" for name in PIXEL_COLUMNS),
    ]
    yield from (f"## {escaped(result.header.name)}", "")
    yield "| " + " | ".join(head) + " |"
    yield "|---|" + "---:|" * (len(head) - 1)
    for row in rows_of(result, aupro):
        cells = [escaped(row.name), row.normal, row.anomalous, *row.image, *row.pixel]
        yield "| " + " | ".join(map(str, cells)) + " |"
    yield ""
    remarks = notes(result, aupro)
    for left in result.left_out:
        remarks += [f"{left.kind}: {example}" for example in left.examples]
    yield from (f"- {escaped(remark)}" for remark in remarks)
    if remarks:
        yield ""
