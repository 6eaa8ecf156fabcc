"""Ranking: images by falling score, ready to be counted under many weightings at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Images from the highest score to the lowest, with a step wherever a curve can bend.

    All images of one score share a step, and so do all negative ones between two neighbouring scores of
    positive ones: no curve bends there.

    Attributes:
        order: Places of the ranked images among the weights, the highest score first.
        positive: Whether each is positive, in this order.
        starts: Where in the order each step begins.
        thresholds: Lowest score of each step; falling.
    """

    order: Int64[np.ndarray, " ranked"]
    positive: Bool[np.ndarray, " ranked"]
    starts: Int64[np.ndarray, " steps"]
    thresholds: Float64[np.ndarray, " steps"]

    def count(
        self, weights: Int64[np.ndarray, "rows images"]
    ) -> tuple[Int64[np.ndarray, "rows steps"], Int64[np.ndarray, "rows steps"]]:
        """Return the negative and the positive weight at or above every step, for each row of weights.

        Args:
            weights: How often each image counts, at least 0; images that are not ranked are ignored.
        """
        drawn = weights[:, self.order]
        every = np.add.reduceat(drawn, self.starts, axis=1)
        positive = np.add.reduceat(drawn * self.positive, self.starts, axis=1)
        return np.cumsum(every - positive, axis=1), np.cumsum(positive, axis=1)


def rank(
    scores: Shaped[np.ndarray, " ranked"],
    positive: Bool[np.ndarray, " ranked"],
    places: Int64[np.ndarray, " ranked"] | None = None,
) -> Ranking:
    """Return the ranking of at least one image.

    Args:
        scores: Finite scores.
        positive: Whether each image is positive.
        places: Places of the images among the weights; None where every image is ranked.
    """
    order = np.argsort(-scores, kind="stable")
    falling, positive = scores[order], positive[order]
    level = np.cumsum(np.append(False, falling[1:] != falling[:-1]))
    bends = np.bincount(level, positive) > 0
    first = np.flatnonzero(np.append(True, level[1:] != level[:-1]))
    starts = first[np.append(True, bends[1:] | bends[:-1])]
    return Ranking(
        order=order if places is None else places[order],
        positive=positive,
        starts=starts,
        thresholds=falling[np.append(starts[1:], falling.size) - 1].astype(np.float64),
    )
