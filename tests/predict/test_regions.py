"""Regions of a map, beside SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from zerosight.predict.regions import find_regions
from zerosight.types import Region


def of_scipy(values: np.ndarray, threshold: float) -> tuple[Region, ...]:
    labels, count = ndimage.label(values >= threshold, structure=np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    found = [
        Region(
            (x.start, y.start, x.stop, y.stop),
            int(areas[number]),
            float(values[y, x][labels[y, x] == number].max()),
        )
        for number, (y, x) in enumerate(ndimage.find_objects(labels), start=1)
    ]
    return tuple(sorted(found, key=lambda region: (-region.peak, region.box)))


def test_regions_touching_by_a_corner_are_one_and_are_sorted_by_peak():
    grid = np.zeros((6, 8), np.float32)
    grid[0, 0] = grid[1, 1] = 0.7
    grid[4:6, 5:8] = 0.9
    first, second = find_regions(grid, 0.5)
    assert (first.box, first.area) == ((5, 4, 8, 6), 6)
    assert first.peak == pytest.approx(0.9)
    assert (second.box, second.area) == ((0, 0, 2, 2), 2)
    assert find_regions(grid, 0.95) == ()


@pytest.mark.parametrize("rows_at_once", [1, 3, 1000])
def test_regions_are_those_of_scipy_however_few_rows_are_looked_at_at_once(monkeypatch, rows_at_once):
    rng = np.random.default_rng(0)
    for _ in range(200):
        height, width = (int(side) for side in rng.integers(1, 24, 2))
        monkeypatch.setattr("zerosight.predict.regions._AT_ONCE", rows_at_once * width)
        values = np.round(rng.random((height, width)), int(rng.integers(1, 4))).astype(np.float32)
        threshold = float(rng.random())
        assert find_regions(values, threshold) == of_scipy(values, threshold)


def test_one_region_that_winds_through_every_row_and_many_small_ones_are_found():
    winding = np.zeros((41, 30), np.float32)
    winding[::2] = 0.9
    winding[1::4, -1] = winding[3::4, 0] = 0.9
    assert find_regions(winding, 0.5) == of_scipy(winding, 0.5)
    assert len(find_regions(winding, 0.5)) == 1
    noise = np.random.default_rng(0).random((200, 150), np.float32)
    found = find_regions(noise, 0.97)
    assert len(found) > 255
    assert found == of_scipy(noise, 0.97)


def test_what_is_no_number_is_in_no_region():
    values = np.full((3, 4), np.nan, np.float32)
    assert find_regions(values, 0.0) == ()
    values[1, 2] = 0.5
    assert find_regions(values, 0.0) == (Region((2, 1, 3, 2), 1, 0.5),)
