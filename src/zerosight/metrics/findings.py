"""Metrics of findings: many yes-or-no questions per image, each with labels that may not be known.

A class is judged on the images whose label for it is known. The macro mean is over the classes that have a
value. Intervals come from drawing whole patients, the same draws for every class, so that the mean's interval
holds what the classes share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from zerosight.errors import ConfigError
from zerosight.metrics.bootstrap import draws, percentile_interval
from zerosight.metrics.calibration import BINS, calibration_curve, expected_calibration_error
from zerosight.metrics.curves import Curves, average_precision, roc_area, thinned
from zerosight.metrics.decision import ThresholdPolicy, best_threshold, decisions, oracle_decisions
from zerosight.metrics.finding_data import FindingData
from zerosight.metrics.image import image_tally
from zerosight.metrics.ranking import Ranking, rank
from zerosight.metrics.result import Metric

RESAMPLED = ("auroc", "ap", "f1", "accuracy")
"""The metrics that have intervals."""


@dataclass(frozen=True, slots=True)
class FindingTable:
    """The metrics of one finding, or the means of several; each in [0, 1].

    Attributes:
        auroc: Area under the ROC curve.
        ap: Average precision.
        f1: F1 under the policy.
        accuracy: Accuracy under the policy.
        threshold: Probability at or above which the finding is called present.
        calibration_error: Expected calibration error.
        policy: How the threshold was chosen, such as ``fixed:0.5`` or ``oracle``.
        positives: Number of images with the finding.
        negatives: Number of images without.
        unknown: Number of images for which it is not known; they are in no metric of it.
    """

    auroc: Metric
    ap: Metric
    f1: Metric
    accuracy: Metric
    threshold: Metric
    calibration_error: Metric
    policy: str
    positives: int
    negatives: int
    unknown: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        cells = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: cell.to_json() if isinstance(cell, Metric) else cell for name, cell in cells.items()}


@dataclass(frozen=True, slots=True)
class FindingMetrics:
    """The metrics of all findings.

    Attributes:
        classes: A table per class, in the order of the columns.
        macro: Their plain means over the classes that have a value; counts are sums.
    """

    classes: tuple[FindingTable, ...]
    macro: FindingTable


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """The metrics of one finding under any weighting of the images: all ones, or a bootstrap's draws.

    Attributes:
        by_score: The images with a known label by score; None where there are none.
        by_probability: The same by probability, for the oracle; None for thresholds chosen beforehand.
        called: Per image whether it is called present; None for the oracle, and without a threshold.
        positive: Per image whether it is positive.
        known: Per image whether that is known.
    """

    by_score: Ranking | None
    by_probability: Ranking | None
    called: Bool[np.ndarray, " images"] | None
    positive: Bool[np.ndarray, " images"]
    known: Int64[np.ndarray, " known"]

    @classmethod
    def of(cls, data: FindingData, column: int, policy: ThresholdPolicy, threshold: Metric) -> Measure:
        """Return the measure of a finding."""
        known, positive = data.known(column), data.labels[:, column] == 1
        scores, probabilities = data.scores[:, column], data.probabilities[:, column]
        is_oracle = policy.kind == "oracle"
        return cls(
            by_score=rank(scores[known], positive[known], known) if known.size else None,
            by_probability=rank(probabilities[known], positive[known], known)
            if known.size and is_oracle
            else None,
            called=None if is_oracle or not threshold.is_defined else probabilities >= threshold.value,
            positive=positive,
            known=known,
        )

    def __call__(self, weights: Int64[np.ndarray, "rows images"]) -> dict[str, Float64[np.ndarray, " rows"]]:
        """Return every metric of ``RESAMPLED`` per row of weights, NaN where it is undefined."""
        blank = np.full(len(weights), np.nan)
        found = dict.fromkeys(RESAMPLED, blank)
        if self.by_score is None:
            return found
        false, true = self.by_score.count(weights)
        both = (false[:, -1] > 0) & (true[:, -1] > 0)
        found["auroc"] = np.where(both, roc_area(false, true), np.nan)
        found["ap"] = np.where(both, average_precision(false, true), np.nan)
        if self.by_probability is not None:
            found["f1"], found["accuracy"] = oracle_decisions(*self.by_probability.count(weights))
        elif self.called is not None:
            known = self.known
            found["f1"], found["accuracy"] = decisions(
                weights[:, known], self.called[known], self.positive[known]
            )
        return found


def validation_thresholds(data: FindingData) -> tuple[Metric, ...]:
    """Return each finding's lowest threshold of the largest F1, for use on other images."""
    return tuple(_best_threshold(data, column) for column in range(data.labels.shape[1]))


def finding_metrics(
    data: FindingData,
    policy: ThresholdPolicy,
    validation: Sequence[Metric] | None = None,
    *,
    bins: int = BINS,
    resamples: int = 0,
    seed: int = 0,
) -> FindingMetrics:
    """Return every metric of every finding; undefined ones say why.

    Args:
        data: Predictions and labels.
        policy: How thresholds are chosen.
        validation: The thresholds from :func:`validation_thresholds`, for that policy only.
        bins: Bins of equally many images for the calibration error.
        resamples: Bootstrap resamples of patients for 95 % intervals; none where 0.
        seed: Seed of the resampling.

    Raises:
        ConfigError: The policy is ``validation`` and there is not one threshold per finding, or there is no
            bin.
    """
    classes = range(data.labels.shape[1])
    if policy.kind == "validation" and (validation is None or len(validation) != len(classes)):
        raise ConfigError(
            "threshold policy is validation, but there is not one validation threshold per finding: "
            "evaluate a validation split first, or use fixed:0.5 or oracle"
        )
    measures, tables = [], []
    for column in classes:
        threshold = _threshold(data, column, policy, validation)
        measures.append(Measure.of(data, column, policy, threshold))
        tables.append(_table(data, column, policy, threshold, measures[-1]))
    tables = [replace(t, calibration_error=_calibration_error(data, k, bins)) for k, t in enumerate(tables)]
    macro = _macro(tables, policy)
    if not resamples:
        return FindingMetrics(tuple(tables), macro)
    weights = draws(data.groups, len(data.labels), resamples, seed)
    blocks = [[measure(drawn) for measure in measures] for drawn in weights]
    for name in RESAMPLED:
        values = np.concatenate([np.stack([found[name] for found in block]) for block in blocks], axis=1)
        tables = [_with_interval(table, name, row) for table, row in zip(tables, values, strict=True)]
        defined = [getattr(table, name).is_defined for table in tables]
        macro = _with_interval(macro, name, values[defined].mean(axis=0) if any(defined) else np.empty(0))
    return FindingMetrics(tuple(tables), macro)


def finding_curves(data: FindingData, column: int, points: int = 256) -> Curves:
    """Return about ``points`` points of a finding's ROC and precision–recall curves."""
    known = data.known(column)
    return thinned(image_tally(data.scores[known, column], data.labels[known, column] == 1), points)


def mean_auroc(
    scores: Shaped[np.ndarray, "images classes"], labels: Shaped[np.ndarray, "images classes"]
) -> Metric:
    """Return the mean over findings of the AUROC on the images whose label is known.

    Args:
        scores: Finite scores; higher is more likely present.
        labels: 1 present, 0 absent, NaN not known. Findings without images of either kind have no part in it.
    """
    found = []
    for column, truth in zip(scores.T, labels.T, strict=True):
        known = ~np.isnan(truth)
        tally = image_tally(column[known].astype(np.float64), truth[known] == 1)
        lack = _lack(tally.anomalous_total, tally.normal_total)
        area = Metric.undefined(lack) if lack else Metric(float(roc_area(tally.normal, tally.anomalous)))
        found.append(area)
    return Metric.mean(found)


def _best_threshold(data: FindingData, column: int) -> Metric:
    known = data.known(column)
    positive = data.labels[known, column] == 1
    if positive.all() or not positive.any():
        return Metric.undefined(_lack(int(positive.sum()), int((~positive).sum())))
    return Metric(best_threshold(rank(data.probabilities[known, column], positive)))


def _threshold(
    data: FindingData, column: int, policy: ThresholdPolicy, validation: Sequence[Metric] | None
) -> Metric:
    """Return the threshold that the policy gives a finding."""
    if policy.value is not None:
        return Metric(policy.value)
    if policy.kind == "validation" and validation is not None:
        found = validation[column]
        return found if found.is_defined else Metric.undefined(f"{found.reason} in the validation images")
    return _best_threshold(data, column)


def _table(
    data: FindingData, column: int, policy: ThresholdPolicy, threshold: Metric, measure: Measure
) -> FindingTable:
    """Return the table of one finding without intervals and calibration error."""
    labels = data.labels[data.known(column), column]
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    lack = _lack(positives, negatives)
    found = measure(np.ones((1, len(data.labels)), np.int64))
    cells = {
        name: Metric.undefined(lack or threshold.reason or "")
        if np.isnan(value[0])
        else Metric(float(value[0]))
        for name, value in found.items()
    }
    return FindingTable(
        **cells,
        threshold=threshold,
        calibration_error=Metric.undefined(lack),
        policy=str(policy),
        positives=positives,
        negatives=negatives,
        unknown=len(data.labels) - len(labels),
    )


def _calibration_error(data: FindingData, column: int, bins: int) -> Metric:
    known = data.known(column)
    curve = calibration_curve(data.probabilities[known, column], data.labels[known, column] == 1, bins)
    return expected_calibration_error(curve)


def _lack(positives: int, negatives: int) -> str:
    """Return which kind of image is missing, empty if none is."""
    if not positives and not negatives:
        return "no known labels"
    return "" if positives and negatives else "no negatives" if positives else "no positives"


def _macro(tables: Sequence[FindingTable], policy: ThresholdPolicy) -> FindingTable:
    """Return the plain means of the defined values."""
    names = (*RESAMPLED, "calibration_error")
    fixed = Metric(policy.value) if policy.value is not None else Metric.undefined("one per finding")
    return FindingTable(
        **{name: Metric.mean([getattr(table, name) for table in tables]) for name in names},
        threshold=fixed,
        policy=str(policy),
        positives=sum(table.positives for table in tables),
        negatives=sum(table.negatives for table in tables),
        unknown=sum(table.unknown for table in tables),
    )


def _with_interval(table: FindingTable, name: str, values: Float64[np.ndarray, " resamples"]) -> FindingTable:
    """Return the table with the interval of a metric; resamples without a value are left out."""
    metric = getattr(table, name)
    if not metric.is_defined:
        return table
    interval = percentile_interval(values[np.isfinite(values)])
    return replace(table, **{name: replace(metric, interval=interval)})
