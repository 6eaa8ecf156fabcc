"""Fields: repeatable, of the stated range, the same however computed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from zerosight.synthesis.surfaces import fields


def _rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_noise_is_standardised_and_repeats() -> None:
    first = fields.noise(_rng(), 64, 12, 3, (2, 0.5))
    assert first.mean() == pytest.approx(0, abs=1e-4)
    assert first.std() == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(first, fields.noise(_rng(), 64, 12, 3, (2, 0.5)))


def test_spectral_noise_is_smoother_with_slope() -> None:
    rough, cloudy = (fields.spectral(_rng(), 64, slope) for slope in (0.0, 1.5))
    assert np.abs(np.diff(cloudy)).mean() < 0.5 * np.abs(np.diff(rough)).mean()


def test_smooth_agrees_with_a_gaussian() -> None:
    plane = fields.noise(_rng(), 128, 40, 2)
    exact = ndimage.gaussian_filter(plane, 6, mode="nearest")
    assert np.abs(fields.smooth(plane, 6) - exact).max() < 0.1 * exact.std()
    assert fields.smooth(plane, 0) is plane


@pytest.mark.parametrize("spacing", [6.0, 30.0])
def test_cells_have_borders_and_tones(spacing: float) -> None:
    found = fields.cells(_rng(), 64, spacing, 0.8, 0.1)
    assert found.edge.shape == found.centre.shape == found.tone.shape == (64, 64)
    assert found.edge.min() < 0.1
    assert 0 <= found.tone.min() <= found.tone.max() < 1


def test_warped_moves_pixels() -> None:
    x, _ = fields.coordinates(32)
    zero = np.zeros_like(x)
    np.testing.assert_allclose(fields.warped(x, zero, zero), x, atol=1e-6)
    np.testing.assert_allclose(fields.warped(x, zero + 2, zero)[:, :-2], x[:, 2:], atol=1e-6)


def test_coloured_and_over_reach_both_ends() -> None:
    ramp = np.linspace(0, 1, 4, dtype=np.float32)[None, :]
    picture = fields.coloured(ramp, ((0, 0, 0), (1, 0.5, 0)))
    np.testing.assert_allclose(picture[0, -1], (1, 0.5, 0), atol=1e-6)
    np.testing.assert_allclose(fields.over(picture, ramp, (0, 0, 1))[0, -1], (0, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(fields.over(picture, ramp * 0, (0, 0, 1)), picture)
