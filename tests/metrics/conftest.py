"""An independent, slow reference: plain loops over thresholds, pixels and pairs, no shared code."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

LIMIT = 0.3


def regions_of(mask: np.ndarray) -> list[list[tuple[int, int]]]:
    """Return the pixels of each 8-connected region by flood fill."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    found = []
    while left:
        front, region = [left.pop()], []
        while front:
            y, x = front.pop()
            region.append((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            front.extend(near)
        found.append(region)
    return found


def rates(maps: np.ndarray, masks: np.ndarray, called: np.ndarray) -> tuple[float, float]:
    """Return the false-positive rate and the mean share of each region that is called anomalous."""
    shares = [
        np.mean([float(called[i][pixel]) for pixel in region])
        for i, mask in enumerate(masks)
        for region in regions_of(mask)
    ]
    return float(called[~masks].mean()), float(np.mean(shares))


def slow_metrics(maps: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Return every pixel metric; there must be a normal and an anomalous pixel."""
    normal, anomalous = maps[~masks].astype(float), maps[masks].astype(float)
    wins = (anomalous[:, None] > normal).mean() + 0.5 * (anomalous[:, None] == normal).mean()
    ap, recall_before, best, best_threshold = 0.0, 0.0, -1.0, math.nan
    curve = [(0.0, 0.0)]
    for threshold in sorted(set(maps.ravel().tolist()), reverse=True):
        true, false = int((anomalous >= threshold).sum()), int((normal >= threshold).sum())
        ap += (true / anomalous.size - recall_before) * true / (true + false)
        recall_before = true / anomalous.size
        f1 = 2 * true / (2 * true + false + anomalous.size - true)
        if f1 >= best:
            best, best_threshold = f1, threshold
        curve.append(rates(maps, masks, maps >= threshold))
    area = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(curve):
        if x0 < LIMIT:
            end = min(x1, LIMIT)
            y_end = y1 if x1 == x0 else y0 + (y1 - y0) * (end - x0) / (x1 - x0)
            area += (end - x0) * (y0 + y_end) / 2
    return {
        "auroc": float(wins),
        "ap": ap,
        "f1_max": best,
        "f1_threshold": best_threshold,
        "aupro_exact": area / LIMIT,
        "aupro_published": slow_published(maps, masks),
    }


def slow_published(maps: np.ndarray, masks: np.ndarray) -> float:
    """Return the 200-threshold AUPRO, NaN where it divides by zero."""
    low, high = maps.min(), maps.max()
    step = (high - low) / maps.dtype.type(200)
    if step == 0:
        return math.nan
    points = [rates(maps, masks, maps > threshold) for threshold in np.arange(low, high, step)]
    kept = [point for point in points if point[0] < LIMIT]
    if len(kept) < 2 or kept[0][0] == kept[-1][0]:
        return math.nan
    area = sum((x0 - x1) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in itertools.pairwise(kept))
    return area / (kept[0][0] - kept[-1][0])


@pytest.fixture(scope="session")
def slow() -> Callable[[np.ndarray, np.ndarray], dict[str, float]]:
    """Return the slow reference."""
    return slow_metrics


@pytest.fixture(scope="session")
def flood_fill() -> Callable[[np.ndarray], list[list[tuple[int, int]]]]:
    """Return the slow labelling."""
    return regions_of
