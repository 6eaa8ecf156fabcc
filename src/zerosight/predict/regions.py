"""Regions: where a map is at or above a threshold, as boxes, from the runs of such pixels in its rows.

SciPy's ``label`` finds the same, in three times as long on a usual map, and its import alone takes longer
than a graph takes for an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from zerosight.types import Region

Runs = Int64[np.ndarray, "runs"]
Edges = Int64[np.ndarray, "edges"]
_AT_ONCE = 1 << 20  # pixels of a map that are looked at at a time


def find_regions(anomaly_map: Float32[np.ndarray, "height width"], threshold: float) -> tuple[Region, ...]:
    """Return the 8-connected regions at or above a threshold, the highest peak first.

    >>> grid = np.zeros((4, 5), np.float32)
    >>> grid[1:3, 2:4] = 0.75
    >>> find_regions(grid, 0.5)
    (Region(box=(2, 1, 4, 3), area=4, peak=0.75),)
    """
    rows, starts, ends, peaks = (
        np.concatenate(one) for one in zip(*_runs(anomaly_map, threshold), strict=True)
    )
    if not len(rows):
        return ()
    roots, of = np.unique(_joined(len(rows), *_touching(rows, starts, ends)), return_inverse=True)

    def over(operation: np.ufunc, values: np.ndarray) -> list[Any]:
        found = values[roots]
        operation.at(found, of, values)
        return found.tolist()

    boxes = zip(
        over(np.minimum, starts),
        over(np.minimum, rows),
        over(np.maximum, ends),
        over(np.maximum, rows + 1),
        strict=True,
    )
    areas = np.bincount(of, ends - starts).astype(int).tolist()
    regions = map(Region, boxes, areas, over(np.maximum, peaks))
    return tuple(sorted(regions, key=lambda region: (-region.peak, region.box)))


def _runs(
    anomaly_map: Float32[np.ndarray, "height width"], threshold: float
) -> Iterator[tuple[Runs, Runs, Runs, Float32[np.ndarray, "runs"]]]:
    """Yield row, first column, column behind the last, and largest value of each run, some rows at a time."""
    height, width = anomaly_map.shape
    for top in range(0, height, max(1, _AT_ONCE // width)):
        part = anomaly_map[top : top + max(1, _AT_ONCE // width)]
        above = np.zeros((len(part), width + 2), np.int8)
        above[:, 1:-1] = part >= threshold
        change = np.diff(above)
        rows, starts = np.nonzero(change > 0)
        ends = np.nonzero(change < 0)[1]
        lengths = ends - starts
        begins = np.cumsum(lengths) - lengths
        values = part[above[:, 1:-1] > 0]
        yield rows + top, starts, ends, np.maximum.reduceat(values, begins) if len(begins) else values


def _touching(rows: Runs, starts: Runs, ends: Runs) -> tuple[Edges, Edges]:
    """Return the pairs of runs, one below the other, that touch, at a corner at least."""
    width = int(ends.max()) + 2
    first = np.searchsorted(rows * width + ends, (rows + 1) * width + starts)
    last = np.searchsorted(rows * width + starts, (rows + 1) * width + ends, side="right")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(rows)), counts)
    return upper, np.arange(len(upper)) + np.repeat(first - np.cumsum(counts) + counts, counts)


def _joined(count: int, one: Edges, other: Edges) -> Runs:
    """Return the smallest number among those that each number is joined with."""
    root = np.arange(count)
    while len(one):
        low, high = np.minimum(root[one], root[other]), np.maximum(root[one], root[other])
        apart = low < high
        one, other = one[apart], other[apart]
        np.minimum.at(root, high[apart], low[apart])
        while not np.array_equal(root, further := root[root]):
            root = further
    return root
