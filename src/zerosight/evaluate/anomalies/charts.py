"""Charts: the curves and score histograms of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from zerosight.evaluate.anomalies.outcome import Outcome
from zerosight.evaluate.anomalies.result import CategoryResult, DatasetResult
from zerosight.metrics import Metric
from zerosight.metrics.pixel import FALSE_POSITIVE_LIMIT
from zerosight.report.charts import ALL, Chart, Histogram, Line, histogram, steps, straight


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
    return [
        histogram(name, _scores(outcomes, 0), _scores(outcomes, 1), threshold, ends)
        for name, outcomes, threshold in chosen
    ]


def _roc(category: CategoryResult, of_pixels: bool) -> Line:
    curves = category.pixel_curves if of_pixels and category.pixel_curves else category.image_curves
    area = category.pixel.auroc if of_pixels else category.image.auroc
    path = straight(curves.false_positive_rate, curves.recall)
    return Line(category.name, path, f"AUROC {area.value:.3f}")


def _pr(category: CategoryResult, of_pixels: bool) -> Line:
    curves = category.pixel_curves if of_pixels and category.pixel_curves else category.image_curves
    area = category.pixel.ap if of_pixels else category.image.ap
    return Line(category.name, steps(curves.recall, curves.precision), f"AP {area.value:.3f}")


def _overlap(category: CategoryResult, aupro: str) -> Line:
    curves = category.pixel_curves or category.image_curves
    area = category.pixel.aupro_exact if aupro == "exact" else category.pixel.aupro_published
    path = straight(curves.false_positive_rate / FALSE_POSITIVE_LIMIT, curves.overlap)
    return Line(category.name, path, f"AUPRO {area}" if not area.is_defined else f"AUPRO {area.value:.3f}")


def _scores(outcomes: Sequence[Outcome], label: int) -> list[float]:
    return [o.score for o in outcomes if o.score is not None and o.label == label]
