"""Thresholds from a person's own normal images, for users who have never seen an anomaly."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from zerosight.errors import DataError
from zerosight.models.card import ModelCard, Thresholds
from zerosight.types import Failure, Prediction


def calibrated_card(
    card: ModelCard, normal: Iterable[Prediction | Failure], false_alarms: float
) -> ModelCard:
    """Return the card with thresholds that few normal images reach.

    The image threshold lies just above the (1 − false_alarms) quantile of the scores, the pixel threshold
    just above that quantile of the maps' peaks, so that as few normal images show a region.

    Args:
        card: The model's card.
        normal: Results for normal images.
        false_alarms: Share of normal images that may be called anomalous, in [0, 0.5].

    Raises:
        DataError: There is no image to learn from.
    """
    pairs = [(p.score, float(p.anomaly_map.max())) for p in normal if isinstance(p, Prediction)]
    if not pairs:
        raise DataError("no image could be read; give a folder of normal images")
    image, pixel = (_just_above(np.array(values), false_alarms) for values in zip(*pairs, strict=True))
    source = f"{len(pairs)} normal images, at most {false_alarms:.0%} of them called anomalous"
    return card.model_copy(update={"thresholds": Thresholds(image=image, pixel=pixel, source=source)})


def _just_above(values: np.ndarray, false_alarms: float) -> float:
    """Return the smallest fp32 number above the value that at most ``false_alarms`` of the values exceed.

    >>> _just_above(np.array([0.1, 0.2, 0.3, 0.4]), 0.25) > 0.3
    True
    """
    allowed = int(false_alarms * len(values))
    highest_normal = np.sort(values)[len(values) - 1 - allowed]
    return float(min(np.nextafter(np.float32(highest_normal), np.float32(2)), 1.0))
