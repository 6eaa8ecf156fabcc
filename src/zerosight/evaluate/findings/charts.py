"""Charts: ROC, precision–recall and calibration curves and the probabilities of each finding."""

from __future__ import annotations

import numpy as np

from zerosight.evaluate.findings.result import FindingEvaluation, FindingResult
from zerosight.metrics import Metric
from zerosight.report.charts import ALL, Chart, Histogram, Line, histogram, steps, straight


def curve_charts(evaluation: FindingEvaluation) -> list[Chart]:
    """Return the charts for which at least one finding has a curve."""
    both = [one for one in evaluation.findings if one.table.auroc.is_defined]
    known = [one for one in evaluation.findings if one.calibration.images.size]
    charts = [
        Chart("ROC", "false-positive rate", "recall", 1.0, True, tuple(map(_roc, both))),
        Chart("Precision–recall", "recall", "precision", 1.0, False, tuple(map(_pr, both))),
        Chart("Calibration", "mean probability", "share present", 1.0, True, tuple(map(_calibration, known))),
    ]
    return [chart for chart in charts if chart.lines]


def histograms(evaluation: FindingEvaluation) -> list[Histogram]:
    """Return the histogram of all findings together, then one per finding if there are several.

    There is none where no finding has both kinds of images.
    """
    findings = [one for one in evaluation.findings if one.present.size and one.absent.size]
    if not findings:
        return []
    if len(evaluation.findings) == 1:
        return [_histogram(ALL, findings, findings[0].table.threshold)]
    every = _histogram(ALL, findings, evaluation.macro.threshold)
    return [every, *(_histogram(one.name, [one], one.table.threshold) for one in evaluation.findings)]


def _histogram(name: str, findings: list[FindingResult], threshold: Metric) -> Histogram:
    absent, present = (
        np.concatenate([getattr(one, kind) for one in findings]) for kind in ("absent", "present")
    )
    return histogram(name, absent.tolist(), present.tolist(), threshold, (0.0, 1.0))


def _roc(one: FindingResult) -> Line:
    path = straight(one.curves.false_positive_rate, one.curves.recall)
    return Line(one.name, path, f"AUROC {one.table.auroc.value:.3f}")


def _pr(one: FindingResult) -> Line:
    return Line(one.name, steps(one.curves.recall, one.curves.precision), f"AP {one.table.ap.value:.3f}")


def _calibration(one: FindingResult) -> Line:
    path = straight(one.calibration.predicted, one.calibration.observed)
    return Line(one.name, path, f"ECE {one.table.calibration_error.value:.3f}")
