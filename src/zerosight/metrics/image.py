"""Image-level metrics, exact, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from zerosight.errors import DataError
from zerosight.metrics.bootstrap import bootstrap_intervals
from zerosight.metrics.checks import binary_labels
from zerosight.metrics.curves import Curves, average_precision, best_f1, roc_area, thinned
from zerosight.metrics.result import ImageTable, Metric
from zerosight.metrics.tally import Tally, exact_tally


@dataclass(frozen=True, slots=True, eq=False)
class ImageState:
    """Scores, labels and groups of images, batch by batch: two shards merge by joining their tuples.

    Attributes:
        scores: Scores of each batch.
        labels: True for anomalous.
        groups: Group (patient, part) of each image, None for an image on its own.
    """

    scores: tuple[Float64[np.ndarray, "..."], ...] = ()
    labels: tuple[Bool[np.ndarray, "..."], ...] = ()
    groups: tuple[tuple[str | None, ...], ...] = ()

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(batch.size for batch in self.scores)

    def joined(self) -> tuple[Float64[np.ndarray, " images"], Bool[np.ndarray, " images"]]:
        """Return all scores and labels."""
        return np.concatenate([np.empty(0), *self.scores]), np.concatenate([np.empty(0, bool), *self.labels])


def update(
    state: ImageState,
    scores: Shaped[np.ndarray, " images"],
    labels: Shaped[np.ndarray, "..."],
    groups: Sequence[str | None] | None = None,
) -> ImageState:
    """Return the state with more images counted.

    Args:
        state: What was counted before; it stays as it is.
        scores: Anomaly scores of any range; higher is more anomalous.
        labels: 0 or False for normal, 1 or True for anomalous.
        groups: Group of each image, if images come in groups.

    Raises:
        DataError: Lengths differ, a label is neither 0 nor 1, or a score is NaN or infinite; names the
            image, counted from 0 over the whole state.
    """
    lengths = (scores.size, labels.size, scores.size if groups is None else len(groups))
    if scores.ndim != 1 or len(set(lengths)) != 1:
        raise DataError(
            "there are {} scores, {} labels and {} groups: give one of each per image".format(*lengths)
        )
    wrong = np.flatnonzero(~np.isfinite(scores))
    if wrong.size:
        raise DataError(
            f"the score of image {state.images + int(wrong[0])} is {scores[wrong[0]]}: it must be finite; "
            "leave the image out or mend its score"
        )
    return ImageState(
        scores=(*state.scores, scores.astype(np.float64)),
        labels=(*state.labels, binary_labels(labels)),
        groups=(*state.groups, (None,) * scores.size if groups is None else tuple(groups)),
    )


def merge(first: ImageState, second: ImageState) -> ImageState:
    """Return the state of two shards together; no image may be in both."""
    return ImageState(
        first.scores + second.scores, first.labels + second.labels, first.groups + second.groups
    )


def compute(state: ImageState, resamples: int = 0, seed: int = 0) -> ImageTable:
    """Return every metric of the images counted; undefined ones say why.

    Unlike in scikit-learn, average precision and F1 are undefined without normal images, where any scores
    would reach 1.

    Args:
        state: The images.
        resamples: Bootstrap resamples for 95 % intervals; none where 0.
        seed: Seed of the resampling.
    """
    scores, labels = state.joined()
    tally = image_tally(scores, labels)
    counts = {"normal": tally.normal_total, "anomalous": tally.anomalous_total}
    missing = [name for name, count in counts.items() if not count]
    if missing:
        blank = Metric.undefined(f"no {' and no '.join(missing)} images")
        return ImageTable(blank, blank, blank, blank, **counts)
    best, threshold = best_f1(tally)
    table = ImageTable(
        auroc=Metric(float(roc_area(tally.normal, tally.anomalous))),
        ap=Metric(float(average_precision(tally.normal, tally.anomalous))),
        f1_max=Metric(best),
        f1_threshold=Metric(threshold),
        **counts,
    )
    if not resamples:
        return table
    groups = [name for batch in state.groups for name in batch]
    found = bootstrap_intervals(scores, labels, groups, resamples, seed)
    return replace(
        table, **{name: replace(getattr(table, name), interval=interval) for name, interval in found.items()}
    )


def image_tally(scores: Float64[np.ndarray, " images"], labels: Bool[np.ndarray, " images"]) -> Tally:
    """Return the exact tally of image scores."""
    anomalous = np.sort(scores[labels])[::-1]
    return exact_tally(np.sort(scores[~labels]), anomalous, np.zeros(anomalous.size), 0)


class ImageMetrics:
    """Image-level AUROC, AP and F1-max of images that arrive one by one, in batches or in shards.

    >>> metrics = ImageMetrics().update(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    >>> str(metrics.compute().auroc)
    '0.7500'
    """

    def __init__(self) -> None:
        self.state = ImageState()

    def update(
        self,
        scores: Shaped[np.ndarray, " images"],
        labels: Shaped[np.ndarray, "..."],
        groups: Sequence[str | None] | None = None,
    ) -> ImageMetrics:
        """Count more images; see :func:`update`."""
        self.state = update(self.state, scores, labels, groups)
        return self

    def merge(self, other: ImageMetrics) -> ImageMetrics:
        """Count the images of another shard; see :func:`merge`."""
        self.state = merge(self.state, other.state)
        return self

    def compute(self, resamples: int = 0, seed: int = 0) -> ImageTable:
        """Return every metric; see :func:`compute`."""
        return compute(self.state, resamples, seed)

    def curves(self, points: int = 512) -> Curves:
        """Return about ``points`` points of the ROC and precision–recall curves."""
        return thinned(image_tally(*self.state.joined()), points)
