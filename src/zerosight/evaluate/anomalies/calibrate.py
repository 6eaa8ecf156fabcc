"""Thresholds from a person's own normal images, for users who have never seen an anomaly."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.stats import beta

from zerosight.errors import DataError
from zerosight.models.card import AnomalyCard, Thresholds
from zerosight.types import Failure, Prediction

BINS = 2**16


def calibrated_card(
    card: AnomalyCard,
    normal: Iterable[Prediction | Failure],
    false_alarms: float,
    pixels: float | None = None,
) -> AnomalyCard:
    """Return the card with thresholds that few normal images, and few of their pixels, reach.

    The image threshold lies just above the (1 − false_alarms) quantile of the scores. The pixel threshold is
    for finding places: it bounds the share of normal images' pixels in regions, each image counting the same.
    An image that is called anomalous has a region in any case, its peak.

    Args:
        card: The model's card; what it said about the old thresholds goes.
        normal: Results for normal images.
        false_alarms: Share of normal images that may be called anomalous, in [0, 0.5].
        pixels: Share of their pixels that may lie in a region, in [0, 0.5]; None takes the same.

    Raises:
        DataError: There is no image to learn from.
    """
    scores, counts = [], np.zeros(BINS)
    for one in normal:
        if isinstance(one, Prediction):
            scores.append(one.score)
            bins = (one.anomaly_map * BINS).astype(np.int64).clip(0, BINS - 1)
            counts += np.bincount(bins.ravel(), minlength=BINS) / bins.size
    if not scores:
        raise DataError("no image could be read; give a folder of normal images")
    image = _just_above(np.array(scores), false_alarms)
    share = false_alarms if pixels is None else pixels
    above = np.append(counts[::-1].cumsum()[::-1], 0) / len(scores)
    pixel = float(np.argmax(above <= share + 1e-9)) / BINS
    low, high = rate_interval(len(scores), false_alarms)
    source = (
        f"{len(scores)} normal images, at most {false_alarms:.0%} of them called anomalous "
        f"(new ones: {low:.1%} to {high:.1%} with 90 % probability), {share:.0%} of their pixels in regions"
    )
    return card.model_copy(update={"thresholds": Thresholds(image=image, pixel=pixel, source=source)})


def rate_interval(images: int, false_alarms: float) -> tuple[float, float]:
    """Return where the false-alarm rate on new normal images lies with 90 % probability.

    Args:
        images: On how many the threshold was chosen.
        false_alarms: Share of them that reach it at most, in [0, 0.5].

    >>> low, high = rate_interval(19, 0.0)
    >>> round(low, 3), round(high, 3)
    (0.003, 0.146)
    """
    above = int(false_alarms * images) + 1
    low, high = (float(beta.ppf(one, above, images + 1 - above)) for one in (0.05, 0.95))
    return low, high


def _just_above(values: np.ndarray, false_alarms: float) -> float:
    """Return the smallest fp32 number above the value that at most ``false_alarms`` of the values exceed.

    >>> _just_above(np.array([0.1, 0.2, 0.3, 0.4]), 0.25) > 0.3
    True
    """
    allowed = int(false_alarms * len(values))
    highest_normal = np.sort(values)[len(values) - 1 - allowed]
    return float(min(np.nextafter(np.float32(highest_normal), np.float32(2)), 1.0))
