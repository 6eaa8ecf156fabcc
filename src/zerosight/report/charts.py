"""Charts: curves and score histograms as SVG shapes, ready for ``charts.html.j2``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zerosight.metrics import Metric

SIDE = 200.0
"""Width and height of a chart's plot, in the units of its SVG."""

BARS = 40
ALL = ""
"""What stands for all categories together."""


@dataclass(frozen=True, slots=True)
class Line:
    """One category's curve.

    Attributes:
        category: Its category.
        path: An SVG path inside a square of ``SIDE``.
        label: The area under it in print.
    """

    category: str
    path: str
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One kind of curve, a line per category.

    Attributes:
        title: What it shows.
        across: Label of the horizontal axis.
        up: Label of the vertical axis.
        limit: Right end of the horizontal axis, in (0, 1].
        diagonal: Whether chance is the diagonal.
        lines: The curves.
    """

    title: str
    across: str
    up: str
    limit: float
    diagonal: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Scores of negative and positive images, each as shares of its own kind.

    Attributes:
        category: The category, or ``ALL``.
        low: Left end of the first bar.
        high: Right end of the last bar.
        negative: Share of the negative images per bar, over the largest share of any bar.
        positive: The same of the positive images.
        threshold: The threshold as a share of the width; None where there is none.
        counts: Numbers of negative and positive images.
    """

    category: str
    low: float
    high: float
    negative: tuple[float, ...]
    positive: tuple[float, ...]
    threshold: float | None
    counts: tuple[int, int]


def histogram(
    name: str,
    negative: Iterable[float],
    positive: Iterable[float],
    threshold: Metric,
    ends: tuple[float, float],
) -> Histogram:
    """Return the histogram of two kinds of scores.

    Args:
        name: The category.
        negative: Scores of the negative images.
        positive: Scores of the positive images.
        threshold: The threshold to mark, if it is defined.
        ends: Left end of the first bar and right end of the last.
    """
    low, high = ends
    kinds = [np.array(list(scores), np.float64) for scores in (negative, positive)]
    shares = [np.histogram(scores, BARS, (low, high))[0] / max(scores.size, 1) for scores in kinds]
    tallest = max(float(bars.max()) for bars in shares) or 1.0
    first, second = (tuple((bars / tallest).tolist()) for bars in shares)
    mark = (threshold.value - low) / (high - low) if threshold.is_defined else None
    return Histogram(name, low, high, first, second, mark, (kinds[0].size, kinds[1].size))


def straight(x: np.ndarray, y: np.ndarray) -> str:
    """Return straight lines through the points."""
    return "M" + "L".join(f"{_across(a)} {_up(b)}" for a, b in zip(x, y, strict=True))


def steps(x: np.ndarray, y: np.ndarray) -> str:
    """Return a staircase: each point's height holds up to it from the point before."""
    stairs = "".join(f"V{_up(b)}H{_across(a)}" for a, b in zip(x[1:], y[1:], strict=True))
    return f"M{_across(x[0])} {_up(y[0])}{stairs}"


def _across(share: float) -> str:
    return f"{SIDE * share:.1f}"


def _up(share: float) -> str:
    return f"{SIDE * (1 - share):.1f}"
