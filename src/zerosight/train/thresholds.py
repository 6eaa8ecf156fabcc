"""Thresholds from held-out data, so that one single image gets a sensible yes or no."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from zerosight.metrics import ImageMetrics, PixelMetrics
from zerosight.models.card import Thresholds
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.features import FeatureSource
from zerosight.train.samples import Batch


@torch.inference_mode()
def choose_thresholds(
    model: Vip2Clip, batches: Iterable[Batch], source: FeatureSource, description: str
) -> tuple[Thresholds, dict[str, float]]:
    """Return the thresholds with the largest F1 on held-out data, and the AUROCs there.

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
    chosen = {
        name: table.f1_threshold.value
        for name, table in (("image", image_table), ("pixel", pixel_table))
        if table.f1_threshold.is_defined
    }
    measured = {
        "image_auroc": image_table.auroc.value,
        "pixel_auroc": pixel_table.auroc.value,
        "pixel_aupro": pixel_table.aupro_exact.value,
    }
    thresholds = Thresholds(**{k: float(np.clip(v, 0, 1)) for k, v in chosen.items()}, source=description)
    return thresholds, {k: round(v, 4) for k, v in measured.items() if not np.isnan(v)}
