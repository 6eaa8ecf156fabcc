"""Judge a detector on cached features: image and pixel AUROC with their resamples, and the yes or no."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor
from torch.nn import functional as F

from zerosight.ablate.outcome import Measured
from zerosight.ablate.vip2clip.fit import batches, device_of
from zerosight.ablate.vip2clip.material import TestSet
from zerosight.backbones.dual_encoder import ImageFeatures
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


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A detector, and where it has its features from."""

    detector: Detector
    source: FeatureSource

    @property
    def size(self) -> int:
        """Side of its maps."""
        return self.source.encoder.preprocess.size


@torch.inference_mode()
def judge(views: Sequence[View], test: TestSet) -> Judged:
    """Return the verdicts on a data set: the mean of the views' scores, and of maps at the first's size.

    Raises:
        DataError: An image or mask cannot be used.
    """
    size = views[0].size
    texts = [view.detector.read_static() for view in views]
    scores, pixels, seconds = [], [], 0.0
    for parts in zip(*(batches(test.samples, view.source, BATCH)[0] for view in views), strict=True):
        seen = [
            view.source.features(batch, device_of(view.source))
            for view, batch in zip(views, parts, strict=True)
        ]
        begin = time.perf_counter()
        found = [
            _verdict(view, features, text, size)
            for view, features, text in zip(views, seen, texts, strict=True)
        ]
        judged, maps = (torch.stack(one).mean(0).numpy() for one in zip(*found, strict=True))
        seconds += time.perf_counter() - begin
        scores.append(judged)
        pixels += [
            pooled_counts(one, mask, BINS) for one, mask in zip(maps, parts[0].masks.numpy(), strict=True)
        ]
    counted = [sample.label == 0 or sample.mask is not None for sample in test.samples]
    return Judged(
        np.concatenate(scores),
        np.array([sample.label == 1 for sample in test.samples]),
        np.stack(pixels),
        np.array(counted),
        seconds,
    )


def _verdict(
    view: View, features: ImageFeatures, text: Float[Tensor, "1 2 dim"] | None, size: int
) -> tuple[Float64[Tensor, " batch"], Float[Tensor, "batch size size"]]:
    """Return the scores and maps of a batch, the latter at some size."""
    verdict = view.detector(features, text)
    maps = view.detector.anomaly_maps(verdict, view.size).clamp(0, 1)
    if view.size != size:
        maps = F.interpolate(maps[None], (size, size), mode="bilinear", antialias=True)[0]
    return verdict.scores.double().cpu(), maps.cpu()


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
