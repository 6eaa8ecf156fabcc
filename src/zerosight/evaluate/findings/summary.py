"""Evaluate: scores and labels in, every metric out; which model made the scores does not matter."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Shaped

from zerosight.errors import DataError
from zerosight.evaluate.findings.config import FindingEvaluationConfig
from zerosight.evaluate.findings.provenance import Provenance
from zerosight.evaluate.findings.published import published_for
from zerosight.evaluate.findings.result import FindingEvaluation, FindingResult
from zerosight.metrics import (
    FindingData,
    FindingTable,
    Metric,
    calibration_curve,
    finding_curves,
    finding_data,
    finding_metrics,
)


@dataclass(frozen=True, slots=True)
class FindingSettings:
    """How to evaluate, and what to say about it.

    Attributes:
        provenance: Where scores and labels came from.
        config: The settings.
        validation: For the policy ``validation``: a threshold per finding, from
            :func:`zerosight.metrics.validation_thresholds` on other images.
    """

    provenance: Provenance
    config: FindingEvaluationConfig = field(default_factory=FindingEvaluationConfig)
    validation: tuple[Metric, ...] | None = None


def evaluate_findings(
    scores: Shaped[np.ndarray, "images classes"],
    probabilities: Shaped[np.ndarray, "..."],
    labels: Shaped[np.ndarray, "..."],
    groups: Sequence[Hashable | None] | None,
    names: Sequence[str],
    settings: FindingSettings,
) -> FindingEvaluation:
    """Return the metrics of a model's findings on a data set.

    Args:
        scores: Finite scores, a row per image and a column per finding; higher is more likely present.
        probabilities: In [0, 1], alike.
        labels: 1 present, 0 absent, NaN not known: such an image is left out for that finding only.
        groups: Patient of each image; None, for one or all, makes an image a patient of its own. They shape
            the intervals and are never handed on.
        names: The findings.
        settings: How to evaluate, and what to say about it.

    Raises:
        ConfigError: The policy is ``validation`` and there are no validation thresholds.
        DataError: Shapes differ or a value is not allowed.
    """
    data = finding_data(scores, probabilities, labels, groups)
    if len(names) != data.labels.shape[1] or len(set(names)) != len(names):
        raise DataError(
            f"there are {len(names)} names for {data.labels.shape[1]} columns of scores: give one per "
            "column, none of them twice"
        )
    config = settings.config
    found = finding_metrics(
        data,
        config.policy,
        settings.validation,
        bins=config.bins,
        resamples=config.resamples,
        seed=config.seed,
    )
    alone = sum(group is None for group in data.groups)
    return FindingEvaluation(
        provenance=settings.provenance,
        settings=config.shown(),
        images=len(data.labels),
        patients=len(set(data.groups) - {None}) + alone,
        findings=tuple(
            _finding(data, column, name, table, settings)
            for column, (name, table) in enumerate(zip(names, found.classes, strict=True))
        ),
        macro=found.macro,
        published=published_for(settings.provenance.data),
    )


def _finding(
    data: FindingData, column: int, name: str, table: FindingTable, settings: FindingSettings
) -> FindingResult:
    """Return the result of one finding."""
    known = data.known(column)
    probabilities, positive = data.probabilities[known, column], data.labels[known, column] == 1
    return FindingResult(
        name=name,
        anchor=settings.provenance.anchor(name),
        table=table,
        curves=finding_curves(data, column),
        calibration=calibration_curve(probabilities, positive, settings.config.bins),
        present=probabilities[positive],
        absent=probabilities[~positive],
    )
