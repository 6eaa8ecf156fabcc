"""The product beside the whole model."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.benchmark.radz.counts import prepare
from zerosight.benchmark.radz.plain import plain_scores, random_pixels
from zerosight.benchmark.radz.workloads import scoring_model
from zerosight.predict.findings import FindingPredictor


def test_both_ways_give_the_same_scores(workload):
    predictor = FindingPredictor(scoring_model(workload))
    question = prepare(predictor, 5).question
    pixels = random_pixels(predictor.model.mllm, 3)
    scores, _ = predictor.score(pixels, question)
    assert scores.shape == (3, 5)
    assert np.ptp(scores) > 0
    assert plain_scores(predictor, pixels, question) == pytest.approx(scores, abs=1e-6)


def test_rows_hold_what_was_measured(result):
    for row in result.speed:
        assert min(row.plain_seconds, row.product_seconds, row.speedup, row.tower_share) > 0
        assert row.max_difference < 1e-6


def test_memory_grows_with_the_batch(result):
    one, two = result.speed
    assert two.product_tensors_mb == pytest.approx(2 * one.product_tensors_mb, rel=0.2)
    assert two.plain_tensors_mb == pytest.approx(2 * one.plain_tensors_mb, rel=0.2)
