"""Regions are 8-connected, and each weighs one in all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from zerosight.metrics.regions import region_weights


@settings(derandomize=True, deadline=None)
@given(mask=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_regions_are_those_of_a_flood_fill(mask, flood_fill):
    regions = flood_fill(mask)
    weights, count = region_weights(mask)
    expected = np.zeros(mask.shape)
    for region in regions:
        for pixel in region:
            expected[pixel] = 1 / len(region)
    assert count == len(regions)
    np.testing.assert_array_equal(weights, expected[mask])


def test_regions_that_touch_by_a_corner_are_one():
    weights, count = region_weights(np.eye(4, dtype=bool))
    assert count == 1
    assert weights.tolist() == [0.25] * 4


def test_regions_a_pixel_apart_are_two():
    assert region_weights(np.array([[True, False, True]]))[1] == 2


def test_an_empty_mask_has_no_region():
    weights, count = region_weights(np.zeros((3, 3), dtype=bool))
    assert (weights.size, count) == (0, 0)


def test_weights_of_a_large_region_sum_to_one():
    assert region_weights(np.ones((200, 300), dtype=bool))[0].sum() == pytest.approx(1, abs=1e-12)
