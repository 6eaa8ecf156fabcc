"""UTPA against slow references."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional as F

from zerosight.models.vip2clip import utpa


@pytest.fixture
def cosines() -> torch.Tensor:
    return torch.rand(3, 2, 49, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.6


@pytest.mark.parametrize("sigma", [0.0, 1.5, 8.0])
def test_map_equals_upsampling_every_level_then_averaging_then_scipys_blur(cosines, sigma):
    maps = utpa.level_maps(cosines, 0.07, 56).mean(0).numpy()
    expected = np.stack([gaussian_filter(m, sigma) if sigma else m for m in maps])
    found = utpa.anomaly_map(cosines, 0.07, 56, sigma).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_level_maps_are_interpolated_probabilities(cosines):
    probability = torch.softmax(cosines / 0.07, -1)[..., 1].reshape(6, 1, 7, 7)
    expected = F.interpolate(probability, (20, 20), mode="bilinear", align_corners=False)
    torch.testing.assert_close(utpa.level_maps(cosines, 0.07, 20), expected.reshape(3, 2, 20, 20))


def test_map_of_probabilities_stays_in_range(cosines):
    found = utpa.anomaly_map(cosines, 0.07, 60, 4.0)
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("top_k", [1, 5, 49, 1000])
def test_top_cosines_equal_a_loop(cosines, top_k):
    found = utpa.top_cosines(cosines, 0.07, top_k)
    for image in range(2):
        pairs = []
        for level in range(3):
            table = cosines[level, image]
            order = sorted(range(49), key=lambda i: float(table[i, 0] - table[i, 1]))
            pairs += [table[i] for i in order[:top_k]]
        torch.testing.assert_close(found[image], torch.stack(pairs).mean(0))
