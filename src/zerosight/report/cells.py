"""Cells: values in print, per cent with one decimal as papers have them, and texts that stay texts."""

from __future__ import annotations

from dataclasses import dataclass

from zerosight.metrics.result import Metric

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


def plain(value: object) -> str:
    """Return a setting for reading."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return "all" if value is None else str(value)


def escaped(text: str) -> str:
    """Return a text that Markdown takes for text."""
    for mark in "\\`*_{}[]<>#|":
        text = text.replace(mark, "\\" + mark)
    return text
