"""Pixel-level metrics of anomaly maps, all from one pass over additive state.

``init``, ``update``, ``merge``, ``compute`` are pure functions; :class:`PixelMetrics` only holds a state.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Shaped

from zerosight.errors import ConfigError, DataError
from zerosight.metrics.binned import BinnedState, empty_binned
from zerosight.metrics.bounds import average_precision_error, f1_max_error, overlap_area_error, roc_area_error
from zerosight.metrics.checks import binary_mask
from zerosight.metrics.curves import Curves, average_precision, best_f1, overlap_area, roc_area, thinned
from zerosight.metrics.exact import ExactState
from zerosight.metrics.published import published_aupro
from zerosight.metrics.result import Metric, PixelTable

FALSE_POSITIVE_LIMIT = 0.3

PixelState = BinnedState | ExactState


def init(
    engine: str = "binned", bins: int = 2**16, score_range: tuple[float, float] = (0.0, 1.0)
) -> PixelState:
    """Return the state of an engine that has counted nothing.

    Args:
        engine: ``"binned"`` needs the same memory for any number of maps and states its error; ``"exact"``
            keeps every score.
        bins: Number of bins of the binned engine.
        score_range: Lowest and highest score the binned engine accepts.

    Raises:
        ConfigError: Another engine, no bins, or an empty range.
    """
    if engine == "exact":
        return ExactState()
    if engine == "binned":
        return empty_binned(bins, score_range)
    raise ConfigError(f"engine is {engine!r}: it must be 'binned' or 'exact'")


def update(
    state: PixelState,
    maps: Shaped[np.ndarray, "*batch height width"],
    masks: Shaped[np.ndarray, "..."],
) -> PixelState:
    """Return the state with more maps counted, one after the other, so that batch size changes nothing.

    Args:
        state: What was counted before; it stays as it is.
        maps: Anomaly scores, one map or a stack of them; higher is more anomalous.
        masks: True or 1 where anomalous, of the same shape as ``maps``. A mask without an anomalous pixel
            adds normal pixels and no region, also where a region vanished when the mask was made smaller.

    Raises:
        DataError: Shapes differ, a mask holds other values than 0 and 1, or a score is NaN, infinite or
            outside the score range; names the map, counted from 0 over the whole state.
    """
    if maps.ndim < 2 or maps.shape != masks.shape:
        raise DataError(
            f"maps have shape {maps.shape} and masks {masks.shape}: both must be height × width, or a stack "
            "of that, and equal"
        )
    stack = (math.prod(maps.shape[:-2]), *maps.shape[-2:])
    for scores, mask in zip(maps.reshape(stack), masks.reshape(stack), strict=True):
        state = state.update(scores, binary_mask(mask, f"map {state.images}"))
    return state


def merge(first: PixelState, second: PixelState) -> PixelState:
    """Return the state of two shards together; no map may be in both.

    Raises:
        DataError: The shards come from different engines or bins.
    """
    if isinstance(first, BinnedState) and isinstance(second, BinnedState):
        return first.merge(second)
    if isinstance(first, ExactState) and isinstance(second, ExactState):
        return first.merge(second)
    raise DataError("cannot merge a binned and an exact state: count both shards with the same engine")


def compute(state: PixelState) -> PixelTable:
    """Return every metric of the maps counted; undefined ones say why.

    Unlike in scikit-learn, average precision and F1 are undefined without normal pixels, where any scores
    would reach 1.
    """
    tally, points = state.summary()
    counts = {
        "normal": tally.normal_total,
        "anomalous": tally.anomalous_total,
        "regions": state.regions,
        "images": state.images,
    }
    missing = [name for name in ("normal", "anomalous") if not counts[name]]
    if missing:
        blank = Metric.undefined(f"no {' and no '.join(missing)} pixels")
        return PixelTable(blank, blank, blank, blank, blank, blank, **counts)
    best, threshold = best_f1(tally)
    limit = FALSE_POSITIVE_LIMIT
    return PixelTable(
        auroc=Metric(float(roc_area(tally.normal, tally.anomalous)), error=roc_area_error(tally)),
        ap=Metric(
            float(average_precision(tally.normal, tally.anomalous)), error=average_precision_error(tally)
        ),
        f1_max=Metric(best, error=f1_max_error(tally)),
        f1_threshold=Metric(threshold, error=0.0 if tally.is_exact else None),
        aupro_exact=Metric(overlap_area(tally, limit), error=overlap_area_error(tally, limit)),
        aupro_published=published_aupro(points, limit),
        **counts,
    )


class PixelMetrics:
    """Pixel-level AUROC, AP, F1-max and AUPRO of maps that arrive one by one, in batches or in shards.

    Args:
        engine: See :func:`init`.
        bins: See :func:`init`.
        score_range: See :func:`init`.

    >>> maps = np.array([[[0.1, 0.2], [0.3, 0.9]]])
    >>> masks = np.array([[[0, 0], [0, 1]]])
    >>> table = PixelMetrics().update(maps, masks).compute()
    >>> str(table.auroc), table.regions
    ('1.0000', 1)
    """

    def __init__(
        self, engine: str = "binned", bins: int = 2**16, score_range: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        self.state = init(engine, bins, score_range)

    def update(
        self, maps: Shaped[np.ndarray, "*batch height width"], masks: Shaped[np.ndarray, "..."]
    ) -> PixelMetrics:
        """Count more maps; see :func:`update`."""
        self.state = update(self.state, maps, masks)
        return self

    def merge(self, other: PixelMetrics) -> PixelMetrics:
        """Count the maps of another shard; see :func:`merge`."""
        self.state = merge(self.state, other.state)
        return self

    def compute(self) -> PixelTable:
        """Return every metric; see :func:`compute`."""
        return compute(self.state)

    def curves(self, points: int = 512) -> Curves:
        """Return about ``points`` points of the ROC, precision–recall and overlap curves."""
        return thinned(self.state.summary()[0], points)
