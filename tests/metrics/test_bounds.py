"""The stated errors shrink with the bins and vanish where nothing is tied."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.metrics import PixelMetrics

NAMES = ("auroc", "ap", "f1_max", "aupro_exact", "aupro_published")


def errors(bins: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    masks = rng.random((2, 40, 40)) < 0.1
    maps = np.clip(rng.beta(2, 5, masks.shape) + 0.2 * masks, 0, 1)
    table = PixelMetrics(bins=bins).update(maps, masks).compute()
    return np.array([getattr(table, name).error for name in NAMES])


def test_errors_shrink_with_the_bins():
    few, more, most = errors(2**6), errors(2**10), errors(2**16)
    assert (more < few).all()
    assert (most < more).all()
    assert most.max() < 2e-3


def test_one_bin_knows_nothing():
    auroc, _, _, aupro, published = errors(1)
    assert auroc == 0.5
    assert aupro == pytest.approx(1)
    assert published == 1


def test_bins_that_separate_every_score_leave_no_error():
    maps, masks = np.array([[0.05, 0.15, 0.25, 0.35]]), np.array([[0, 1, 0, 1]])
    table = PixelMetrics(bins=10).update(maps, masks).compute()
    assert [table.auroc.error, table.ap.error, table.f1_max.error, table.aupro_exact.error] == [0, 0, 0, 0]


def test_auroc_is_off_by_at_most_half_the_fullest_bin():
    maps, masks = np.array([[0.1, 0.12, 0.14, 0.9]]), np.array([[1, 0, 0, 0]])
    table = PixelMetrics(bins=2).update(maps, masks).compute()
    assert table.auroc.value == pytest.approx(1 / 3)
    assert table.auroc.error == pytest.approx(1 / 3)
    assert PixelMetrics("exact").update(maps, masks).compute().auroc.value == 0
