"""A batch as its own reference: against a slow loop, what a defect does to it, and what is warned of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zerosight.models.references.fusion import top_mean
from zerosight.models.references.model import mean_of
from zerosight.models.references.mutual import (
    LOWEST,
    along,
    compare,
    judge,
    outlier_bound,
    remarks,
    repeats,
    subspaces_of,
)


@pytest.fixture(scope="module")
def patches() -> torch.Tensor:
    """Twenty images of one kind; the last one has a patch like no other."""
    generator = torch.Generator().manual_seed(0)
    kind = torch.randn(36, 6, generator=generator)
    images = kind + 0.1 * torch.randn(20, 36, 6, generator=generator)
    images[-1, 14] += 4
    return images


def test_distances_are_those_of_a_slow_loop(patches):
    found = compare((patches, 2 * patches))
    fewer = patches.unflatten(1, (6, 6))[:, ::2, ::2].flatten(1, 2)
    for i, place in ((0, 3), (19, 14)):
        near = sorted(
            float((patches[i, place] - fewer[j]).square().mean(-1).sqrt().min()) for j in range(20) if j != i
        )
        lowest = near[: round(LOWEST * 19)]
        expected = np.array([np.mean(lowest), near[1], near[9]]) * 1.5
        values = [float(grid[i, place]) for grid in (found.distances, found.near, found.typical)]
        np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_few_anomalies_stand_out_and_are_not_warned_of(base, patches):
    mutual = compare((patches,))
    assert int(mutual.distances.flatten().argmax()) == 19 * 36 + 14
    words = torch.zeros(20, 3, 36)
    judged = judge(base, torch.cat([words, mutual.distances[:, None]], 1))
    assert judged.scores.argmax() == 19
    assert judged.scores[19] > judged.bound
    scores, maps = judged.references.finish(judged.sources)
    assert (scores >= 0.5).tolist() == (judged.scores >= judged.bound).tolist()
    assert maps.shape[0] == 20
    assert repeats(mutual) == 0
    assert not [line for line in remarks(judged, mutual) if "repeats" in line]


def test_a_defect_that_repeats_is_warned_of(base, patches):
    again = patches.clone()
    again[:4, 14] = again[-1, 14] + 0.05
    mutual = compare((again,))
    assert repeats(mutual) >= 4
    sources = torch.cat([torch.zeros(20, 3, 36), mutual.distances[:, None]], 1)
    lines = list(remarks(judge(base, sources), mutual))
    assert any("images have places that are like each other" in line for line in lines)


def test_the_subspace_of_calmer_images_finds_the_same(patches):
    mutual = compare((patches,))
    projected = along((patches,), [(patches.mean((0, 1)), torch.eye(6))])
    fitted = subspaces_of(projected, mutual.distances)
    left = mean_of([fit(level.float()) for fit, level in zip(fitted, projected, strict=True)])
    assert top_mean(left).argmax() == 19


def test_identical_images_have_a_bound_of_their_own():
    assert outlier_bound(np.ones(5)) > 1
