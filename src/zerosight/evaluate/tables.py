"""Tables: the results of a data set as rows of text, per cent with one decimal as papers print them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zerosight.evaluate.result import DatasetResult, Evaluation
from zerosight.metrics import ImageTable, Metric, PixelTable

NOT_AVAILABLE = "n/a"
VISIBLE_ERROR = 0.0005
"""Errors of binning from here on would change a printed digit, and are shown."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric in print.

    Attributes:
        value: Per cent, or ``n/a``.
        interval: Ends of the 95 % interval, empty without one.
        error: Largest error of binning in per cent, empty where no printed digit depends on it.
        reason: Why there is no value.
    """

    value: str
    interval: str = ""
    error: str = ""
    reason: str = ""

    def __str__(self) -> str:
        """Return everything but the reason in one line."""
        spread = f" ({self.interval})" if self.interval else ""
        return f"{self.value}{self.error}{spread}"


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


def cell(metric: Metric) -> Cell:
    """Return a metric in print.

    >>> str(cell(Metric(0.91234)))
    '91.2'
    >>> str(cell(Metric.undefined("no masks")))
    'n/a'
    """
    if not metric.is_defined:
        return Cell(NOT_AVAILABLE, reason=metric.reason or "")
    interval = metric.interval
    spread = (
        f"{percent(interval.low)}–{percent(interval.high)}"
        if interval is not None and interval.reason is None
        else ""
    )
    error = (
        f" ± {percent(metric.error)}" if metric.error is not None and metric.error >= VISIBLE_ERROR else ""
    )
    return Cell(percent(metric.value), spread, error)


def percent(value: float) -> str:
    """Return a share in per cent, one decimal.

    >>> percent(0.5), percent(-0.0)
    ('50.0', '0.0')
    """
    return f"{100 * value + 0.0:.1f}"


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
    yield from (f"## {_escaped(result.header.name)}", "")
    yield "| " + " | ".join(head) + " |"
    yield "|---|" + "---:|" * (len(head) - 1)
    for row in rows_of(result, aupro):
        cells = [_escaped(row.name), row.normal, row.anomalous, *row.image, *row.pixel]
        yield "| " + " | ".join(map(str, cells)) + " |"
    yield ""
    remarks = notes(result, aupro)
    for left in result.left_out:
        remarks += [f"{left.kind}: {example}" for example in left.examples]
    yield from (f"- {_escaped(remark)}" for remark in remarks)
    if remarks:
        yield ""


def plain(value: object) -> str:
    """Return a setting for reading."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return "all" if value is None else str(value)


def _escaped(text: str) -> str:
    """Return a text that Markdown takes for text."""
    for mark in "\\`*_{}[]<>#|":
        text = text.replace(mark, "\\" + mark)
    return text
