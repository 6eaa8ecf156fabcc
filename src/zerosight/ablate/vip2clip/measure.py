"""Judge a detector on cached features: image and pixel AUROC with their resamples, and the yes or no."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from zerosight.ablate.outcome import Measured
from zerosight.ablate.vip2clip.fit import batches, device_of
from zerosight.ablate.vip2clip.material import TestSet
from zerosight.metrics.bootstrap import bootstrap_values
from zerosight.metrics.curves import f1, roc_area
from zerosight.metrics.image import ImageMetrics
from zerosight.metrics.pooled import pooled_auroc_values, pooled_counts
from zerosight.models.baselines.detector import Detector
from zerosight.models.card import Thresholds
from zerosight.train.vip2clip.features import FeatureSource

IMAGE, PIXEL, ALARMS, MISSES = "image AUROC", "pixel AUROC", "false alarms", "misses"
BATCH = 8
BINS = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A detector's verdicts on a data set.

    Attributes:
        scores: Of each image.
        labels: True for anomalous.
        pixels: Normal and anomalous pixels per bin of the map's values, of images whose masks are known.
        counted: Whether an image's pixels count.
        seconds: The detector took for all images, from their features on.
    """

    scores: Float64[np.ndarray, " images"]
    labels: Bool[np.ndarray, " images"]
    pixels: Int64[np.ndarray, "images 2 bins"]
    counted: Bool[np.ndarray, " images"]
    seconds: float


@torch.inference_mode()
def judge(detector: Detector, test: TestSet, source: FeatureSource) -> Judged:
    """Return a detector's verdicts on a data set.

    Raises:
        DataError: An image or mask cannot be used.
    """
    size = source.encoder.preprocess.size
    loader, _ = batches(test.samples, source, BATCH)
    device = device_of(source)
    text = detector.read_static()
    scores, pixels, seconds = [], [], 0.0
    for batch in loader:
        features = source.features(batch, device)
        begin = time.perf_counter()
        verdict = detector(features, text)
        maps = detector.anomaly_maps(verdict, size).clamp(0, 1).cpu().numpy()
        seconds += time.perf_counter() - begin
        scores.append(verdict.scores.double().cpu().numpy())
        pixels += [
            pooled_counts(one, mask, BINS) for one, mask in zip(maps, batch.masks.numpy(), strict=True)
        ]
    counted = [sample.label == 0 or sample.mask is not None for sample in test.samples]
    return Judged(
        np.concatenate(scores),
        np.array([sample.label == 1 for sample in test.samples]),
        np.stack(pixels),
        np.array(counted),
        seconds,
    )


def measure(
    judged: Judged,
    groups: Sequence[str | None],
    thresholds: Thresholds,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Measured]:
    """Return the metrics of a data set that are defined on it.

    Args:
        judged: The verdicts.
        groups: Group of each image, None for an image on its own.
        thresholds: Where a score becomes a yes.
        resamples: Of the bootstrap; 0 for none. The same for every variant.
        seed: Of the resampling.
    """
    found: dict[str, Measured] = {}
    scores, labels = judged.scores, judged.labels
    if labels.any() and not labels.all():
        drawn = bootstrap_values(scores, labels, groups, resamples, seed)["auroc"] if resamples else None
        table = ImageMetrics().update(scores, labels).compute()
        found[IMAGE] = Measured.of(table.auroc.value, drawn)
    kept = judged.counted
    pixels = judged.pixels[kept]
    if (labels & kept).any() and pixels[:, 0].sum():
        total = np.cumsum(pixels.sum(0)[:, ::-1], axis=-1)
        names = [name for name, keep in zip(groups, kept, strict=True) if keep]
        drawn = pooled_auroc_values(pixels, names, resamples, seed) if resamples else None
        found[PIXEL] = Measured.of(float(roc_area(total[0], total[1])), drawn)
    called = scores >= thresholds.image
    if not labels.all():
        found[ALARMS] = Measured.of(called[~labels].mean())
    if labels.any():
        found[MISSES] = Measured.of((~called[labels]).mean())
    return found


def best_thresholds(judged: Judged, source: str) -> Thresholds:
    """Return the thresholds with the largest F1.

    Args:
        judged: Verdicts on images of both kinds.
        source: What the images are.
    """
    table = ImageMetrics().update(judged.scores, judged.labels).compute()
    total = np.cumsum(judged.pixels[judged.counted].sum(0)[:, ::-1], axis=-1)
    best = int(np.argmax(f1(total[0], total[1])))
    pixel = 1 - (best + 1) / judged.pixels.shape[-1]
    return Thresholds(image=float(np.clip(table.f1_threshold.value, 0, 1)), pixel=pixel, source=source)
