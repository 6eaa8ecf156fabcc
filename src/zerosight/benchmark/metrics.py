"""Time and memory of the pixel metrics against the classical way, on the same maps in one process."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Shaped
from scipy import ndimage
from skimage import measure

from zerosight.errors import MissingExtraError
from zerosight.metrics.pixel import PixelMetrics
from zerosight.metrics.published import STEPS

_LIMIT = 0.3


def benchmark_metrics(images: int = 100, size: int = 518, repeats: int = 5, seed: int = 0) -> dict[str, Any]:
    """Return speed, agreement and memory of the pixel metrics beside scikit-learn and the published loop.

    The reference runs once, as it takes minutes; ours is the median of ``repeats`` runs. Memory is what
    numpy and Python allocate beyond the maps themselves, traced in a run that is not timed.

    Args:
        images: Number of maps, at least 2.
        size: Height and width of each map.
        repeats: Timed runs of ours.
        seed: Seed of the synthetic maps.

    Returns:
        ``speedup``, ``seconds``, ``reference_seconds``, ``max_difference`` and ``peak_extra_mb`` of the
        binned engine, ``exact_seconds`` and ``exact_max_difference`` of the exact one, ``seconds_half`` and
        ``peak_extra_mb_half`` of the binned engine on half the maps, the largest ``error_bound`` it states,
        and the sizes.
    """
    maps, masks = synthetic_maps(images, size, seed)
    half = images // 2
    seconds = _median_seconds(lambda: _ours(maps, masks, "binned"), repeats)
    seconds_half = _median_seconds(lambda: _ours(maps[:half], masks[:half], "binned"), repeats)
    exact_seconds = _median_seconds(lambda: _ours(maps, masks, "exact"), 1)
    start = time.perf_counter()
    reference = classical_metrics(maps, masks)
    reference_seconds = time.perf_counter() - start
    table = PixelMetrics().update(maps, masks).compute()
    return {
        "speedup": reference_seconds / seconds,
        "seconds": seconds,
        "reference_seconds": reference_seconds,
        "max_difference": _max_difference(_ours(maps, masks, "binned"), reference),
        "peak_extra_mb": _peak_extra_mb(maps, masks),
        "seconds_half": seconds_half,
        "peak_extra_mb_half": _peak_extra_mb(maps[:half], masks[:half]),
        "exact_seconds": exact_seconds,
        "exact_max_difference": _max_difference(_ours(maps, masks, "exact"), reference),
        "error_bound": max(
            metric.error or 0.0 for metric in (table.auroc, table.ap, table.f1_max, table.aupro_published)
        ),
        "images": images,
        "size": size,
        "repeats": repeats,
        "seed": seed,
    }


def synthetic_maps(
    images: int, size: int, seed: int
) -> tuple[Float32[np.ndarray, "images size size"], Bool[np.ndarray, "images size size"]]:
    """Return smooth anomaly maps in (0, 1) and masks of blobs that raise them; every third mask is empty."""
    rng = np.random.default_rng(seed)
    maps = np.empty((images, size, size), dtype=np.float32)
    masks = np.zeros((images, size, size), dtype=bool)
    for i in range(images):
        if i % 3:
            blobs = _noise(rng, size, size / 20)
            masks[i] = blobs > np.quantile(blobs, rng.uniform(0.95, 0.995))
        raised = 2.5 * ndimage.gaussian_filter(masks[i].astype(np.float32), size / 100)
        logits = _noise(rng, size, size / 60) + raised - 2.5
        maps[i] = 1.0 / (1.0 + np.exp(-logits))
    return maps, masks


def classical_metrics(
    maps: Shaped[np.ndarray, "images height width"], masks: Bool[np.ndarray, "images height width"]
) -> dict[str, float]:
    """Return the pixel metrics by scikit-learn on all pixels and the published loop over thresholds.

    Raises:
        MissingExtraError: scikit-learn, which only measuring against it needs, is not installed.
    """
    try:
        from sklearn.metrics import precision_recall_curve, roc_auc_score
    except ImportError:
        raise MissingExtraError(
            "scikit-learn, which the metrics are measured against, is not installed: pip install scikit-learn"
        ) from None
    scores, labels = maps.ravel(), masks.ravel()
    precision, recall, _ = precision_recall_curve(labels, scores)
    return {
        "auroc": float(roc_auc_score(labels, scores)),
        "ap": float(-np.sum(np.diff(recall) * precision[:-1])),
        "f1_max": float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300))),
        "aupro_published": _classical_aupro(maps, masks),
    }


def _classical_aupro(
    maps: Shaped[np.ndarray, "images height width"], masks: Bool[np.ndarray, "images height width"]
) -> float:
    """Return AUPRO by thresholding every map and visiting every region, threshold by threshold."""
    from sklearn.metrics import auc

    low, high = maps.min(), maps.max()
    rates, overlaps = [], []
    for threshold in np.arange(low, high, (high - low) / maps.dtype.type(STEPS)):
        called = maps > threshold
        shares = []
        for above, mask in zip(called, masks, strict=True):
            for region in measure.regionprops(measure.label(mask, connectivity=2)):
                shares.append(above[region.coords[:, 0], region.coords[:, 1]].sum() / region.area)
        overlaps.append(np.mean(shares))
        rates.append(np.logical_and(~masks, called).sum() / (~masks).sum())
    rate, overlap = np.array(rates), np.array(overlaps)
    rate, overlap = rate[rate < _LIMIT], overlap[rate < _LIMIT]
    return float(auc((rate - rate.min()) / (rate.max() - rate.min()), overlap))


def _ours(
    maps: Shaped[np.ndarray, "images height width"],
    masks: Bool[np.ndarray, "images height width"],
    engine: str,
) -> dict[str, float]:
    table = PixelMetrics(engine).update(maps, masks).compute()
    names = ("auroc", "ap", "f1_max", "aupro_published")
    return {name: getattr(table, name).value for name in names}


def _max_difference(ours: dict[str, float], reference: dict[str, float]) -> float:
    return max(abs(ours[name] - value) for name, value in reference.items())


def _median_seconds(function: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _peak_extra_mb(
    maps: Shaped[np.ndarray, "images height width"], masks: Bool[np.ndarray, "images height width"]
) -> float:
    """Return the peak of memory allocated while the binned engine runs, in megabytes of 10⁶ bytes."""
    tracemalloc.start()
    try:
        _ours(maps, masks, "binned")
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def _noise(rng: np.random.Generator, size: int, sigma: float) -> Float32[np.ndarray, "size size"]:
    """Return smooth noise of mean 0 and deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), sigma, mode="wrap")
    return (noise - noise.mean()) / noise.std()
