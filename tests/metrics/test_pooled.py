"""Pixel AUROC of resampled images, held to pooling their pixels one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from zerosight.metrics.bootstrap import draws
from zerosight.metrics.pooled import pooled_auroc_values, pooled_counts

BINS = 16


def test_every_resample_is_the_area_of_its_images_pixels():
    rng = np.random.default_rng(0)
    maps = rng.integers(0, BINS, (6, 5, 5)) / BINS
    masks = rng.random((6, 5, 5)) < 0.3
    masks[0] = False
    counts = np.stack([pooled_counts(one, mask, BINS) for one, mask in zip(maps, masks, strict=True)])
    found = pooled_auroc_values(counts, None, resamples=20, seed=3)
    [weights] = draws(None, 6, 20, 3)
    expected = [
        roc_auc_score(np.repeat(masks, times, axis=0).ravel(), np.repeat(maps, times, axis=0).ravel())
        for times in weights
    ]
    assert found == pytest.approx(expected)


def test_resamples_with_one_class_only_are_left_out():
    counts = np.zeros((2, 2, BINS), np.int64)
    counts[0, 0, 3] = counts[1, 1, 5] = 9  # one image is normal all over, the other anomalous
    found = pooled_auroc_values(counts, None, resamples=50, seed=0)
    assert 0 < found.size < 50
    assert (found == 1).all()


def test_the_highest_score_counts_in_the_last_bin():
    assert pooled_counts(np.ones((1, 1)), np.ones((1, 1), bool), BINS)[1, -1] == 1
