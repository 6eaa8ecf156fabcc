"""Decisions: F1 and accuracy of calling a finding present, under a threshold policy that is always named.

Departures: none from the field's tables where the policy is ``oracle``: the threshold is the lowest value
that maximises F1 on the very images that are judged, F1 calls values at or above it present, accuracy only
those strictly above. Such figures are no estimate of use. ``fixed`` and ``validation`` thresholds are chosen
without the images that are judged, and call values at or above them present, as predictions do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from zerosight.errors import ConfigError, did_you_mean
from zerosight.metrics.curves import f1
from zerosight.metrics.ranking import Ranking

Kind = Literal["fixed", "validation", "oracle"]
KINDS: tuple[Kind, ...] = ("fixed", "validation", "oracle")


@dataclass(frozen=True, slots=True)
class ThresholdPolicy:
    """How the threshold of a finding is chosen.

    >>> str(ThresholdPolicy.parse("fixed:0.5")), str(ThresholdPolicy.parse("oracle"))
    ('fixed:0.5', 'oracle')

    Attributes:
        kind: ``fixed``: one value for all findings; ``validation``: each finding's best F1 on other images;
            ``oracle``: each finding's best F1 on the images that are judged.
        value: The fixed threshold, in [0, 1]; None otherwise.
    """

    kind: Kind
    value: float | None = None

    @classmethod
    def parse(cls, text: str) -> ThresholdPolicy:
        """Return the policy of a text such as ``fixed:0.5``, ``validation`` or ``oracle``.

        Raises:
            ConfigError: It is none of these, or the threshold is not in [0, 1].
        """
        name, colon, value = text.strip().partition(":")
        for kind in KINDS:
            if name == kind and kind != "fixed" and not colon:
                return cls(kind)
        if name != "fixed":
            hint = did_you_mean(name, KINDS)
            raise ConfigError(
                f"threshold policy is {text!r}{hint}: use fixed:0.5 (or another value), validation or oracle"
            )
        try:
            threshold = float(value)
        except ValueError:
            threshold = math.nan
        if not 0 <= threshold <= 1:
            raise ConfigError(
                f"threshold policy is {text!r}: give a number from 0 to 1 after 'fixed:', such as fixed:0.5"
            )
        return cls("fixed", threshold)

    def __str__(self) -> str:
        """Return the text that :meth:`parse` takes."""
        return self.kind if self.value is None else f"{self.kind}:{self.value:g}"

    @property
    def meaning(self) -> str:
        """What the policy is, in a few words for readers of a table."""
        if self.kind == "fixed":
            return f"threshold {self.value:g} for every finding, chosen beforehand"
        if self.kind == "validation":
            return "threshold of the largest F1 on the validation images, per finding"
        return (
            "threshold of the largest F1 on the test images themselves, per finding, as in the field's "
            "tables: better than any threshold that is chosen beforehand"
        )


def best_threshold(ranking: Ranking) -> float:
    """Return the lowest threshold of the largest F1, over rankings with at least one positive image."""
    weights = np.ones((1, int(ranking.order.max()) + 1), np.int64)
    values = f1(*ranking.count(weights))[0]
    return float(ranking.thresholds[np.flatnonzero(values == values.max())[-1]])


def oracle_decisions(
    negative: Int64[np.ndarray, "rows steps"], positive: Int64[np.ndarray, "rows steps"]
) -> tuple[Float64[np.ndarray, " rows"], Float64[np.ndarray, " rows"]]:
    """Return F1 and accuracy at each row's own threshold of the largest F1, NaN for rows of one kind.

    Args:
        negative: Negative weight at or above every step, as :meth:`Ranking.count` returns it.
        positive: Positive weight likewise.
    """
    moved = np.diff(negative + positive, prepend=0, axis=1) > 0  # a threshold is a score that was drawn
    values = np.where(moved, f1(negative, positive), -1.0)
    best = values.max(axis=1)
    last = values.shape[1] - 1 - np.argmax(values[:, ::-1] == best[:, None], axis=1)
    rows = np.arange(last.size)
    false = np.where(last > 0, negative[rows, np.maximum(last - 1, 0)], 0)
    true = np.where(last > 0, positive[rows, np.maximum(last - 1, 0)], 0)
    negatives, positives = negative[:, -1], positive[:, -1]
    right = (true + negatives - false) / np.maximum(negatives + positives, 1)
    both = (negatives > 0) & (positives > 0)
    return np.where(both, best, np.nan), np.where(both, right, np.nan)


def decisions(
    weights: Int64[np.ndarray, "rows images"],
    called: Bool[np.ndarray, " images"],
    positive: Bool[np.ndarray, " images"],
) -> tuple[Float64[np.ndarray, " rows"], Float64[np.ndarray, " rows"]]:
    """Return F1 and accuracy of a decision per image; F1 is NaN without positive images in a row.

    Args:
        weights: How often each image counts.
        called: Whether the finding is called present.
        positive: Whether it is.
    """
    cells = np.stack([called & positive, called, positive, called == positive], axis=1)
    true, found, real, right = (weights @ cells.astype(np.int64)).T
    total = weights.sum(axis=1)
    score = np.where(real > 0, 2 * true / np.maximum(found + real, 1), np.nan)
    return score, np.where(total > 0, right / np.maximum(total, 1), np.nan)
