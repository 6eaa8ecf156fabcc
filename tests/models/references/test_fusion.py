"""Fusion: sources on the scale of normal images, and the bend into [0, 1]."""

from __future__ import annotations

import torch

from zerosight.models.references.fusion import Fusion, bend, fit_scales, top_mean


def test_a_source_counts_in_its_own_spreads():
    held_out = torch.randn(20, 2, 50, generator=torch.Generator().manual_seed(0))
    held_out[:, 1] = 100 * held_out[:, 1] + 7
    centres, spreads = fit_scales(held_out)
    fusion = Fusion(centres, spreads, torch.tensor([0.5, 0.5]), torch.zeros(2))
    fused = fusion(held_out)
    torch.testing.assert_close(fused.mean(), torch.tensor(0.0), atol=1e-4, rtol=0)
    expected = ((held_out - centres[:, None]) / spreads[:, None]).mean(1)
    torch.testing.assert_close(fused, expected, atol=1e-4, rtol=1e-4)


def test_a_source_without_spread_is_no_division_by_zero():
    centres, spreads = fit_scales(torch.ones(1, 2, 4))
    assert torch.isfinite(
        Fusion(centres, spreads, torch.ones(2) / 2, torch.zeros(2))(torch.ones(1, 2, 4))
    ).all()


def test_the_bend_keeps_the_order_and_half_is_the_threshold():
    values = torch.tensor([-1e6, -3.0, -1e-3, 0.0, 1e-3, 3.0, 1e6, 2e6])
    bent = bend(values)
    assert bent[3] == 0.5
    assert (bent.diff() >= 0).all()
    assert (bent[:7].diff() > 0).all()
    assert ((bent >= 0) & (bent <= 1)).all()


def test_the_largest_patches_are_averaged():
    grid = torch.arange(100.0)[None]
    assert top_mean(grid, 0.03).item() == 98
    assert top_mean(grid[:, :5], 0.01).item() == 4
