"""Ranking: counts at every step are those of a plain loop over thresholds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.metrics.ranking import rank

IMAGES = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=15)


@settings(deadline=None)
@given(IMAGES)
def test_counts_are_those_of_a_loop(images):
    scores, positive, weights = (np.array(column) for column in zip(*images, strict=True))
    ranking = rank(scores, positive)
    false, true = ranking.count(weights[None])
    for step, threshold in enumerate(ranking.thresholds):
        reached = scores >= threshold
        assert true[0, step] == weights[reached & positive].sum()
        assert false[0, step] == weights[reached & ~positive].sum()
    assert set(scores[positive]) <= set(ranking.thresholds)
    assert ranking.thresholds[-1] == scores.min()


def test_negatives_between_two_positives_share_a_step():
    ranking = rank(np.array([5.0, 4.0, 3.0, 2.0, 1.0]), np.array([True, False, False, True, False]))
    assert ranking.thresholds.tolist() == [5, 3, 2, 1]


def test_only_the_ranked_images_count():
    ranking = rank(np.array([0.2, 0.9]), np.array([False, True]), np.array([3, 1]))
    false, true = ranking.count(np.array([[100, 2, 100, 7]]))
    assert (false.tolist(), true.tolist()) == ([[0, 7]], [[2, 2]])
