"""Localisation: held to scikit-learn and to loops, with the cases that have no value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from zerosight.metrics.localisation import LEVELS, localise, summarise
from zerosight.metrics.result import Metric

RIGHT = np.zeros((20, 20), dtype=bool)
RIGHT[2:14, 2:9] = True
LEFT = RIGHT[:, ::-1]


def example(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    region = np.zeros((20, 20), dtype=bool)
    region[4:12, 3:8] = True
    values = (0.5 * rng.random((20, 20)) + 0.4 * region).round(2).astype(np.float32)
    return values, region


def test_every_measure_is_that_of_a_plain_count():
    values, region = example()
    found = localise(values, region, RIGHT, LEFT)
    assert found.auroc == pytest.approx(roc_auc_score(region.ravel(), values.ravel()))
    lungs = RIGHT | LEFT
    assert found.inside == pytest.approx(roc_auc_score(region[lungs], values[lungs]))
    assert found.hit == float(region.ravel()[values.argmax()])
    assert found.side == 1
    for level in (0, 30, 50, 77, LEVELS - 1):
        above = values >= level / (LEVELS - 1) - 1e-6
        expected = (above & region).sum() / (above | region).sum()
        assert found.overlaps[level] == pytest.approx(expected), level


def test_the_wrong_lung_is_told_and_both_lungs_have_no_side():
    values, region = example()
    assert localise(values[:, ::-1].copy(), region, RIGHT, LEFT).side == 0
    assert math.isnan(localise(values, region | region[:, ::-1], RIGHT, LEFT).side)
    below = np.zeros_like(region)
    below[15:] = True
    found = localise(values, below, RIGHT, LEFT)
    assert math.isnan(found.side)
    assert math.isnan(found.inside)
    assert math.isnan(localise(values, np.ones_like(region), RIGHT, LEFT).auroc)


def test_means_and_intervals_are_over_images_and_patients():
    found = [localise(*example(seed), RIGHT, LEFT) for seed in range(4)]
    groups = ["a", "a", "b", None]
    table = summarise(found, Metric(0.5), 0.5, groups, resamples=50)
    assert table.images == 4
    assert table.auroc.value == pytest.approx(np.mean([one.auroc for one in found]))
    assert table.auroc.interval is not None
    assert table.auroc.interval.low <= table.auroc.value <= table.auroc.interval.high
    overlaps = np.mean([one.overlaps for one in found], axis=0)
    assert table.best_overlap.value == pytest.approx(overlaps.max())
    assert overlaps[round(table.best_threshold.value * 100)] == pytest.approx(overlaps.max())
    assert table.overlap.value == pytest.approx(overlaps[50])
    assert summarise(found, Metric(0.5), 0.5, groups, resamples=0).auroc.interval is None
    assert table.to_json()["aupro"]["value"] == 0.5


def test_what_has_no_value_says_why():
    _, region = example()
    flat = np.zeros((20, 20), np.float32)
    both = localise(flat, np.ones_like(region), RIGHT, LEFT)
    table = summarise([both], Metric(0.5), 0.5, [None], resamples=5)
    assert "whole image" in (table.auroc.reason or "")
    assert "one lung" in (table.side.reason or "")
    assert "inside the lungs" in (table.inside.reason or "")
    assert localise(flat, region, RIGHT, LEFT).auroc == pytest.approx(0.5)
