"""An evaluation of four findings: known, partly known, never present, and under another name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zerosight.finding_evaluation import (
    EvaluationFacts,
    FindingEvaluation,
    FindingEvaluationConfig,
    FindingSettings,
    evaluate_findings,
    split_facts,
)
from zerosight.metrics import finding_data, validation_thresholds

NAMES = ("pneumonia", "Effusion", "hernia", "a<b>c | d")
IMAGES = tuple(f"images/{number}.png" for number in range(60))
PATIENTS = tuple(f"SECRET-{number // 2}" for number in range(60))


def arrays(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, probabilities and labels."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((60, 4)) < [0.3, 0.5, 0.0, 0.4]).astype(float)
    scores = rng.normal(labels)
    labels[::7, 1] = np.nan
    return scores, 1 / (1 + np.exp(-scores)), labels


@pytest.fixture
def evaluated() -> Callable[..., FindingEvaluation]:
    """Return a function that evaluates, with other facts or another policy if told."""

    def evaluate(threshold: str = "oracle", resamples: int = 20, **facts: object) -> FindingEvaluation:
        settings = {
            "data": "chestxray14",
            "model": {"model": "radz-<x>", "weights_sha256": "0" * 64},
            "mode": "pos-neg",
            "provenance": "train-only",
            "temperature": 0.07,
            "anchors": {"a<b>c | d": "lung lesion"},
            "splits": (split_facts("test", IMAGES, PATIENTS),),
            "left_out": {"unreadable image": 2},
        }
        thresholds = validation_thresholds(finding_data(*arrays(1)))
        return evaluate_findings(
            *arrays(),
            PATIENTS,
            NAMES,
            FindingSettings(
                EvaluationFacts(**settings | facts),
                FindingEvaluationConfig(threshold=threshold, resamples=resamples),
                thresholds if threshold == "validation" else None,
            ),
        )

    return evaluate
