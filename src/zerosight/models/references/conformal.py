"""Thresholds from normal images only, with the false-alarm rate that they promise.

A new normal image and the n held-out ones are exchangeable, so its score is equally likely to take any of the
n + 1 places in their order. The threshold just above the k-th smallest score is therefore reached by at most
``(n + 1 - k) / (n + 1)`` of new normal images. With few images no k keeps a small promise; the best one is
then given instead, and said to be given.

Departures: the scores are leave-one-out scores, made with one reference fewer than a new image's. They are
slightly larger, which errs on the side of fewer alarms, and only nearly exchangeable with it.
Source: split conformal prediction (Vovk et al. 2005); conformal risk control (Angelopoulos et al. 2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.stats import beta

from zerosight.errors import ConfigError, DataError

FEW = 20
"""Fewer normal images than this are too few for thresholds that one relies on."""
CONFIDENCE = 0.9
MARGIN = 1e-5


@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold and what may be said about it.

    Attributes:
        threshold: Scores at or above it are false alarms on normal images.
        bound: Largest expected false-alarm rate on exchangeable images, in [0, 1].
        interval: Where the rate of this very threshold lies with 90 % probability; the rate varies with the
            normal images that happened to be at hand.
        images: Number of held-out scores.
        kept: Whether the bound is no larger than what was asked for.
    """

    threshold: float
    bound: float
    interval: tuple[float, float]
    images: int
    kept: bool

    def withdrawn(self) -> Promise:
        """Return the same threshold with no promise: its scores are not such as new images get."""
        return replace(self, bound=1.0, interval=(0.0, 1.0), kept=False)


def image_promise(scores: Float[np.ndarray, "image"], alpha: float) -> Promise:
    """Return the smallest threshold that at most ``alpha`` of new normal images reach.

    Args:
        scores: Held-out scores of normal images, at least one.
        alpha: Share of normal images that may be called anomalous, in (0, 0.5].

    Raises:
        ConfigError: ``alpha`` is out of its range.
        DataError: There is no score.

    >>> image_promise(np.arange(19.0), 0.05).bound
    0.05
    >>> image_promise(np.arange(4.0), 0.05).bound, image_promise(np.arange(4.0), 0.05).kept
    (0.2, False)
    """
    check_alpha(alpha)
    count = len(scores)
    if not count:
        raise DataError("no normal image could be scored; give at least one that can be read")
    wanted = math.ceil((count + 1) * (1 - alpha) - 1e-9)
    rank = min(wanted, count)
    above = count + 1 - rank
    low, high = (beta.ppf((1 + side * CONFIDENCE) / 2, above, rank) for side in (-1, 1))
    return Promise(
        threshold=_just_above(float(np.sort(scores)[rank - 1])),
        bound=above / (count + 1),
        interval=(float(low), float(high)),
        images=count,
        kept=wanted <= count,
    )


def pixel_promise(maps: Float[np.ndarray, "image *pixels"], alpha: float) -> Promise:
    """Return the smallest threshold that at most ``alpha`` of the held-out maps' values reach.

    The bound is that of conformal risk control: one more image, all of it above the threshold, is counted.

    Args:
        maps: Held-out maps of normal images, at least one.
        alpha: Share of normal images' pixels that may lie in a region, in (0, 0.5].

    Raises:
        ConfigError: ``alpha`` is out of its range.
        DataError: There is no map.
    """
    check_alpha(alpha)
    count = len(maps)
    if not count:
        raise DataError("no normal image could be scored; give at least one that can be read")
    values = np.sort(maps.reshape(-1))
    allowed = int(alpha * values.size + 1e-9)
    threshold = _just_above(float(values[values.size - 1 - allowed]))
    shares = (maps.reshape(count, -1) >= threshold).mean(1)
    bound = float((shares.sum() + 1) / (count + 1))
    spread = 1.64 * float(shares.std(ddof=1)) / math.sqrt(count) if count > 1 else 1.0
    interval = (max(0.0, float(shares.mean()) - spread), min(1.0, float(shares.mean()) + spread))
    return Promise(threshold, bound, interval, count, bound <= alpha)


def check_alpha(alpha: float) -> None:
    """Refuse a false-alarm rate that is none.

    Raises:
        ConfigError: ``alpha`` is not in (0, 0.5].
    """
    if not 0 < alpha <= 0.5:
        raise ConfigError(f"alpha: should be a false-alarm rate in (0, 0.5], such as 0.05, got {alpha}")


def _just_above(value: float) -> float:
    """Return a threshold that a score recomputed elsewhere, with other rounding, does not reach."""
    return value + MARGIN * max(1.0, abs(value))
