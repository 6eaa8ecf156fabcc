"""95 % percentile bootstrap intervals of image-level metrics, all resamples at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from zerosight.errors import ConfigError, DataError
from zerosight.metrics.checks import binary_labels
from zerosight.metrics.curves import average_precision, f1, roc_area
from zerosight.metrics.ranking import rank
from zerosight.metrics.result import Interval

_BLOCK = 2**20  # resampled counts held at once


def bootstrap_interval(
    scores: Shaped[np.ndarray, " images"],
    labels: Shaped[np.ndarray, "..."],
    metric: str,
    groups: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the 95 % interval of one metric.

    Args:
        scores: See :func:`bootstrap_intervals`, as for every argument but the metric.
        labels: 0 for normal, 1 for anomalous.
        metric: ``"auroc"``, ``"ap"`` or ``"f1_max"``.
        groups: Group of each image.
        resamples: How many, at least 1.
        seed: Seed of the draws.

    Raises:
        ConfigError: There is no such metric, or there are no resamples.
        DataError: Lengths differ or a label is neither 0 nor 1.
    """
    found = bootstrap_intervals(scores, labels, groups, resamples, seed)
    if metric not in found:
        raise ConfigError(f"metric is {metric!r}: it must be one of {', '.join(found)}")
    return found[metric]


def bootstrap_intervals(
    scores: Shaped[np.ndarray, " images"],
    labels: Shaped[np.ndarray, "..."],
    groups: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the 95 % percentile intervals of AUROC, AP and F1-max from the same resamples.

    Args:
        scores: See :func:`bootstrap_values`, as for every argument.
        labels: 0 for normal, 1 for anomalous.
        groups: Group of each image.
        resamples: How many, at least 1.
        seed: Seed of the draws.

    Raises:
        ConfigError: There are no resamples.
        DataError: Lengths differ or a label is neither 0 nor 1.
    """
    values = bootstrap_values(scores, labels, groups, resamples, seed)
    anomalous = binary_labels(labels)
    if anomalous.all() or not anomalous.any():
        reason = "no normal or no anomalous images"
        return {name: Interval(np.nan, np.nan, 0, reason) for name in values}
    return {name: percentile_interval(found) for name, found in values.items()}


def bootstrap_values(
    scores: Shaped[np.ndarray, " images"],
    labels: Shaped[np.ndarray, "..."],
    groups: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Float64[np.ndarray, " kept"]]:
    """Return AUROC, AP and F1-max of every resample.

    Whole groups are drawn with replacement, as many as there are. A resample with one class only has no
    value and is left out.

    Args:
        scores: Finite anomaly scores.
        labels: 0 for normal, 1 for anomalous.
        groups: Group of each image; None, for one or all, makes an image a group of its own.
        resamples: How many, at least 1.
        seed: Seed of the draws.

    Raises:
        ConfigError: There are no resamples.
        DataError: Lengths differ or a label is neither 0 nor 1.

    Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    if resamples < 1:
        raise ConfigError(f"resamples is {resamples}: it must be at least 1, such as 1000")
    if not scores.size == labels.size == (scores.size if groups is None else len(groups)):
        raise DataError(
            f"there are {scores.size} scores, {labels.size} labels and "
            f"{'no' if groups is None else len(groups)} groups: give one of each per image"
        )
    anomalous = binary_labels(labels)
    if anomalous.all() or not anomalous.any():
        return {name: np.empty(0) for name in _METRICS}
    ranking = rank(scores, anomalous)
    values: dict[str, list[Float64[np.ndarray, " rows"]]] = {name: [] for name in _METRICS}
    for weights in draws(groups, scores.size, resamples, seed):
        false, true = ranking.count(weights)
        both = (false[:, -1] > 0) & (true[:, -1] > 0)
        for name, function in _METRICS.items():
            values[name].append(function(false[both], true[both]))
    return {name: np.concatenate(parts) for name, parts in values.items()}


def draws(
    groups: Sequence[Hashable] | None, images: int, resamples: int, seed: int
) -> Iterator[Int64[np.ndarray, "rows images"]]:
    """Yield how often each image counts in each resample, some resamples at a time.

    Args:
        groups: Group of each image; whole groups are drawn with replacement, as many as there are. None,
            for one or all, makes an image a group of its own.
        images: Number of images, at least 1.
        resamples: How many.
        seed: Seed of the draws.
    """
    members, count = _group_numbers(groups, images)
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // images)
    for start in range(0, resamples, rows):
        yield _draw(rng, min(rows, resamples - start), count)[:, members]


def percentile_interval(values: Float64[np.ndarray, " kept"]) -> Interval:
    """Return the 2.5 % and 97.5 % percentiles of a metric's values over resamples."""
    if not values.size:
        return Interval(np.nan, np.nan, 0, "every resample held one class only")
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(low), float(high), values.size)


def _f1_max(
    normal: Int64[np.ndarray, "rows steps"], anomalous: Int64[np.ndarray, "rows steps"]
) -> Float64[np.ndarray, " rows"]:
    return np.max(f1(normal, anomalous), axis=-1, initial=0.0)


_METRICS: dict[str, Callable[..., Any]] = {"auroc": roc_area, "ap": average_precision, "f1_max": _f1_max}


def _group_numbers(
    groups: Sequence[Hashable] | None, images: int
) -> tuple[Int64[np.ndarray, " images"], int]:
    """Return the number of each image's group, in order of appearance, and how many groups there are."""
    if groups is None:
        return np.arange(images), images
    numbers: dict[Hashable, int] = {}
    keys = ((None, i) if name is None else (name,) for i, name in enumerate(groups))
    members = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    return members, len(numbers)


def _draw(rng: np.random.Generator, rows: int, count: int) -> Int64[np.ndarray, "rows count"]:
    """Return how often each of ``count`` groups is among ``count`` draws, for each row."""
    picks = rng.integers(0, count, size=(rows, count)) + np.arange(rows)[:, None] * count
    return np.bincount(picks.ravel(), minlength=rows * count).reshape(rows, count)
