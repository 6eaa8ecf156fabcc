"""Thresholds from held-out data, so that one single image gets a sensible yes or no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from zerosight.metrics import ImageMetrics, PixelMetrics
from zerosight.metrics.result import Metric
from zerosight.models.card import Thresholds
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.vip2clip.features import FeatureSource
from zerosight.train.vip2clip.samples import Batch


@torch.inference_mode()
def choose_thresholds(
    model: Vip2Clip, batches: Iterable[Batch], source: FeatureSource, description: str
) -> tuple[Thresholds, dict[str, float]]:
    """Return the thresholds with the largest F1 on held-out data, and the AUROCs there.

    Data of one kind only cannot choose: the default stays, and ``source`` says why.

    Args:
        model: The trained model.
        batches: Held-out data, with masks.
        source: Gives the features of a batch.
        description: What the data are, for the card.
    """
    device = next(model.parameters()).device
    size = model.encoder.preprocess.size
    images, pixels = ImageMetrics(), PixelMetrics()
    for batch in batches:
        alignment = model(source.features(batch, device))
        maps = model.anomaly_maps(alignment, size).clamp(0, 1)
        images.update(alignment.scores.cpu().numpy(), batch.labels.numpy())
        pixels.update(maps.cpu().numpy(), batch.masks.numpy())
    image_table, pixel_table = images.compute(), pixels.compute()
    found = {"image": image_table.f1_threshold, "pixel": pixel_table.f1_threshold}
    chosen = {name: float(np.clip(f1.value, 0, 1)) for name, f1 in found.items() if f1.is_defined}
    measured = {
        "image_auroc": image_table.auroc.value,
        "pixel_auroc": pixel_table.auroc.value,
        "pixel_aupro": pixel_table.aupro_exact.value,
    }
    thresholds = Thresholds(**chosen, source=_source(found, description))
    return thresholds, {k: round(v, 4) for k, v in measured.items() if not np.isnan(v)}


def _source(found: Mapping[str, Metric], description: str) -> str:
    """Return what the thresholds were chosen on, or which were not and why."""
    if all(threshold.is_defined for threshold in found.values()):
        return description
    return "; ".join(
        f"{name}: {description if threshold.is_defined else f'not chosen ({threshold.reason})'}"
        for name, threshold in found.items()
    )
