"""Localisation: how well a map says where a finding is, image by image.

Every image with a finding counts once, whatever the finding's size. Two of the measures a fixed prior cannot
know: the ROC area inside the lungs alone, and which lung is named.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64

from zerosight.metrics.bootstrap import draws, percentile_interval
from zerosight.metrics.curves import roc_area
from zerosight.metrics.ranking import rank
from zerosight.metrics.result import Interval, Metric

LEVELS = 101
"""Map thresholds that overlaps are counted at, evenly spread over [0, 1]."""

ONE_SIDED = 0.9
"""Share of a finding's pixels in the lungs that should be in one of them for the finding to have a side."""


@dataclass(frozen=True, slots=True, eq=False)
class Localised:
    """How one map agrees with one region; NaN where a measure is not defined.

    Attributes:
        auroc: ROC area of the pixels, in [0, 1].
        inside: The same of the pixels in the lungs.
        hit: 1 where the map's highest pixel is in the region (the pointing game), else 0.
        side: 1 where the lung with the higher mean is the region's, else 0.
        overlaps: Intersection over union of the region and the pixels at or above each level.
    """

    auroc: float
    inside: float
    hit: float
    side: float
    overlaps: Float64[np.ndarray, " levels"]


@dataclass(frozen=True, slots=True)
class LocalisationTable:
    """Means over images with a finding, each in [0, 1].

    Attributes:
        images: How many there are.
        auroc: ROC area of the pixels.
        inside: The same inside the lungs.
        pointing: Share of maps whose highest pixel is in the region.
        side: Share of one-sided findings whose lung is named.
        best_overlap: Largest mean intersection over union at one threshold for all images, an oracle.
        best_threshold: That threshold.
        overlap: Mean intersection over union at the threshold that pictures are drawn with.
        aupro: Area under the per-region overlap curve up to a false-positive rate of 0.3, over 0.3.
    """

    images: int
    auroc: Metric
    inside: Metric
    pointing: Metric
    side: Metric
    best_overlap: Metric
    best_threshold: Metric
    overlap: Metric
    aupro: Metric

    def metrics(self) -> tuple[Metric, ...]:
        """Return what tables show, in their order: areas, shares, AUPRO and overlaps."""
        shares = (self.auroc, self.inside, self.pointing, self.side)
        return (*shares, self.aupro, self.best_overlap, self.overlap)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        cells = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: cell.to_json() if isinstance(cell, Metric) else cell for name, cell in cells.items()}


def localise(
    values: Float[np.ndarray, "height width"],
    region: Bool[np.ndarray, "height width"],
    right: Bool[np.ndarray, "height width"],
    left: Bool[np.ndarray, "height width"],
) -> Localised:
    """Return how a map agrees with a region.

    Args:
        values: The map, in [0, 1].
        region: Where the finding is; at least one pixel.
        right: The patient's right lung.
        left: The patient's left lung.
    """
    lungs = right | left
    return Localised(
        auroc=_area(values.ravel(), region.ravel()),
        inside=_area(values[lungs], region[lungs]),
        hit=float(region.ravel()[int(values.argmax())]),
        side=_names_side(values, region, right, left),
        overlaps=_overlaps(values, region),
    )


def summarise(
    found: Sequence[Localised],
    aupro: Metric,
    threshold: float,
    groups: Sequence[Hashable | None],
    resamples: int = 1000,
    seed: int = 0,
) -> LocalisationTable:
    """Return means over images, with 95 % intervals by patient.

    Args:
        found: One per image and finding, at least one.
        aupro: Of the same maps, from :class:`zerosight.metrics.pixel.PixelMetrics`.
        threshold: Map values at or above it are drawn, in [0, 1].
        groups: Patient of each; None makes it a patient of its own.
        resamples: Of the bootstrap; 0 for no intervals.
        seed: Seed of the bootstrap.
    """
    overlaps = np.mean([one.overlaps for one in found], axis=0)
    best = int(overlaps.argmax())
    columns = {name: np.array([getattr(one, name) for one in found]) for name in _MEANS}
    columns["overlap"] = np.array([one.overlaps[_level(threshold)] for one in found])
    intervals = _intervals(columns, groups, resamples, seed)
    means = {name: _mean(name, column, intervals.get(name)) for name, column in columns.items()}
    return LocalisationTable(
        images=len(found),
        auroc=means["auroc"],
        inside=means["inside"],
        pointing=means["hit"],
        side=means["side"],
        best_overlap=Metric(float(overlaps[best])),
        best_threshold=Metric(best / (LEVELS - 1)),
        overlap=means["overlap"],
        aupro=aupro,
    )


_MEANS = ("auroc", "inside", "hit", "side")
_REASONS = {
    "inside": "no finding has pixels inside the lungs and leaves some free",
    "side": "no finding is in one lung only",
}


def _mean(name: str, column: Float64[np.ndarray, " images"], interval: Interval | None) -> Metric:
    known = column[~np.isnan(column)]
    if not known.size:
        return Metric.undefined(_REASONS.get(name, "a region covers the whole image"))
    return Metric(float(known.mean()), interval=interval)


def _intervals(
    columns: dict[str, Float64[np.ndarray, " images"]],
    groups: Sequence[Hashable | None],
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    """Return the interval of every column's mean, all from the same draws of patients."""
    if not resamples:
        return {}
    means: dict[str, list[Float64[np.ndarray, " rows"]]] = {name: [] for name in columns}
    for weights in draws(groups, len(groups), resamples, seed):
        for name, column in columns.items():
            known = ~np.isnan(column)
            counts = weights[:, known].sum(1)
            sums = weights[:, known] @ column[known]
            means[name].append(sums[counts > 0] / counts[counts > 0])
    return {name: percentile_interval(np.concatenate(parts)) for name, parts in means.items()}


def _area(values: Float[np.ndarray, " pixels"], region: Bool[np.ndarray, " pixels"]) -> float:
    """Return the area under the ROC curve of some pixels; NaN without pixels of both kinds."""
    if region.all() or not region.any():
        return float("nan")
    normal, marked = rank(values, region).count(np.ones((1, values.size), np.int64))
    return float(roc_area(normal, marked)[0])


def _names_side(
    values: Float[np.ndarray, "height width"],
    region: Bool[np.ndarray, "height width"],
    right: Bool[np.ndarray, "height width"],
    left: Bool[np.ndarray, "height width"],
) -> float:
    in_right, in_left = int((region & right).sum()), int((region & left).sum())
    larger = max(in_right, in_left)
    if not larger or larger < ONE_SIDED * (in_right + in_left) or not (right.any() and left.any()):
        return float("nan")
    return float((values[right].mean() > values[left].mean()) == (in_right > in_left))


def _overlaps(
    values: Float[np.ndarray, "height width"], region: Bool[np.ndarray, "height width"]
) -> Float64[np.ndarray, " levels"]:
    """Return intersection over union at every level, from the highest that a pixel reaches downwards."""
    reached = np.floor(values.clip(0, 1) * (LEVELS - 1) + 1e-6).astype(np.int64)
    every = np.bincount(reached.ravel(), minlength=LEVELS)
    marked = np.bincount(reached[region], minlength=LEVELS)
    above, both = (np.cumsum(counts[::-1])[::-1] for counts in (every, marked))
    return both / (above + int(region.sum()) - both)


def _level(threshold: float) -> int:
    return round(threshold * (LEVELS - 1))
