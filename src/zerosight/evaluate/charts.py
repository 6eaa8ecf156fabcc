"""Charts: curves and score histograms as SVG shapes, ready for the page's template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zerosight.evaluate.outcome import Outcome
from zerosight.evaluate.result import CategoryResult, DatasetResult
from zerosight.metrics import Metric
from zerosight.metrics.pixel import FALSE_POSITIVE_LIMIT

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
    """Scores of normal and anomalous images, each as shares of its own kind.

    Attributes:
        category: The category, or ``ALL``.
        low: Left end of the first bar.
        high: Right end of the last bar.
        normal: Share of the normal images per bar, over the largest share of any bar.
        anomalous: The same of the anomalous images.
        threshold: Threshold of the largest F1 as a share of the width; None where there is none.
        counts: Numbers of normal and anomalous images.
    """

    category: str
    low: float
    high: float
    normal: tuple[float, ...]
    anomalous: tuple[float, ...]
    threshold: float | None
    counts: tuple[int, int]


def curve_charts(result: DatasetResult, aupro: str) -> list[Chart]:
    """Return the charts for which at least one category has a curve.

    Args:
        result: The results.
        aupro: Variant of AUPRO to print beside its curve, ``exact`` or ``published``.
    """
    images = [c for c in result.categories if c.image.auroc.is_defined]
    pixels = [c for c in result.categories if c.pixel.auroc.is_defined]
    false, recall = "false-positive rate", "recall"
    limit = FALSE_POSITIVE_LIMIT
    charts = [
        Chart("Image ROC", false, recall, 1.0, True, tuple(_roc(c, False) for c in images)),
        Chart(
            "Image precision–recall", recall, "precision", 1.0, False, tuple(_pr(c, False) for c in images)
        ),
        Chart("Pixel ROC", false, recall, 1.0, True, tuple(_roc(c, True) for c in pixels)),
        Chart("Pixel precision–recall", recall, "precision", 1.0, False, tuple(_pr(c, True) for c in pixels)),
        Chart(
            "Per-region overlap", false, "overlap", limit, False, tuple(_overlap(c, aupro) for c in pixels)
        ),
    ]
    return [chart for chart in charts if chart.lines]


def histograms(result: DatasetResult) -> list[Histogram]:
    """Return the histogram of all images, then one per category if there are several.

    There is none without both kinds of images to tell apart.
    """
    groups = [(c.name, c.outcomes, c.image.f1_threshold) for c in result.categories]
    every = [outcome for c in result.categories for outcome in c.outcomes]
    only = groups[0][2] if len(groups) == 1 else Metric.undefined("one per category")
    chosen = [(ALL, tuple(every), only), *(groups if len(groups) > 1 else [])]
    scores = [o.score for o in every if o.score is not None and o.label is not None]
    if len({o.label for o in every if o.label is not None}) < 2:
        return []
    low, high = math.floor(20 * min(scores)) / 20, math.ceil(20 * max(scores)) / 20
    ends = (low, high) if low < high else (max(low - 0.05, 0.0), min(high + 0.05, 1.0))
    return [_histogram(name, outcomes, threshold, ends) for name, outcomes, threshold in chosen]


def _roc(category: CategoryResult, of_pixels: bool) -> Line:
    curves = category.pixel_curves if of_pixels and category.pixel_curves else category.image_curves
    area = category.pixel.auroc if of_pixels else category.image.auroc
    path = _straight(curves.false_positive_rate, curves.recall)
    return Line(category.name, path, f"AUROC {area.value:.3f}")


def _pr(category: CategoryResult, of_pixels: bool) -> Line:
    curves = category.pixel_curves if of_pixels and category.pixel_curves else category.image_curves
    area = category.pixel.ap if of_pixels else category.image.ap
    return Line(category.name, _steps(curves.recall, curves.precision), f"AP {area.value:.3f}")


def _overlap(category: CategoryResult, aupro: str) -> Line:
    curves = category.pixel_curves or category.image_curves
    area = category.pixel.aupro_exact if aupro == "exact" else category.pixel.aupro_published
    path = _straight(curves.false_positive_rate / FALSE_POSITIVE_LIMIT, curves.overlap)
    return Line(category.name, path, f"AUPRO {area}" if not area.is_defined else f"AUPRO {area.value:.3f}")


def _straight(x: np.ndarray, y: np.ndarray) -> str:
    """Return straight lines through the points."""
    return "M" + "L".join(f"{_across(a)} {_up(b)}" for a, b in zip(x, y, strict=True))


def _steps(x: np.ndarray, y: np.ndarray) -> str:
    """Return a staircase: each point's height holds up to it from the point before."""
    stairs = "".join(f"V{_up(b)}H{_across(a)}" for a, b in zip(x[1:], y[1:], strict=True))
    return f"M{_across(x[0])} {_up(y[0])}{stairs}"


def _across(share: float) -> str:
    return f"{SIDE * share:.1f}"


def _up(share: float) -> str:
    return f"{SIDE * (1 - share):.1f}"


def _histogram(
    name: str, outcomes: Sequence[Outcome], threshold: Metric, ends: tuple[float, float]
) -> Histogram:
    low, high = ends
    shares, counts = [], []
    for label in (0, 1):
        scores = [o.score for o in outcomes if o.score is not None and o.label == label]
        bars, _ = np.histogram(np.array(scores, np.float64), BARS, (low, high))
        shares.append(bars / max(len(scores), 1))
        counts.append(len(scores))
    tallest = max(float(bars.max()) for bars in shares) or 1.0
    normal, anomalous = (tuple((bars / tallest).tolist()) for bars in shares)
    mark = (threshold.value - low) / (high - low) if threshold.is_defined else None
    return Histogram(name, low, high, normal, anomalous, mark, (counts[0], counts[1]))
