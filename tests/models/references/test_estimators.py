"""Distances to normal patches, held to loops and to scikit-free algebra."""

from __future__ import annotations

import pytest
import torch

from zerosight.models.references.coreset import Coreset, Patches, candidates, farthest_first
from zerosight.models.references.estimators import ALIKE, fit_nearest, fit_subspace
from zerosight.models.references.moments import Moments


@pytest.fixture
def patches() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(300, 3, generator=generator) @ torch.randn(3, 7, generator=generator)
    return mixed + 0.01 * torch.randn(300, 7, generator=generator) + 2


def test_moments_are_those_of_numpy_and_additive(patches):
    whole = Moments.of(patches[:200]) + Moments.of(patches[200:])
    torch.testing.assert_close(whole.mean(), patches.mean(0), atol=1e-5, rtol=1e-5)
    variances, directions = whole.principal()
    expected = torch.linalg.eigvalsh(torch.cov(patches.T, correction=0)).flip(0)
    torch.testing.assert_close(variances, expected, atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(directions.T @ directions, torch.eye(7), atol=1e-4, rtol=0)
    rest = whole - Moments.of(patches[200:])
    torch.testing.assert_close(rest.mean(), patches[:200].mean(0), atol=1e-5, rtol=1e-5)


def test_the_subspace_leaves_what_lies_outside_it(patches):
    subspace = fit_subspace(Moments.of(patches), 0.99)
    assert subspace.get_buffer("basis").shape == (7, 3)
    inside = subspace(patches)
    outside = subspace(patches + torch.tensor([0, 0, 5.0, 0, 0, 0, 0]))
    assert inside.max() < 0.05 < outside.min()


def test_a_single_value_has_a_subspace_too():
    subspace = fit_subspace(Moments.of(torch.ones(5, 4)))
    assert torch.isfinite(subspace(torch.zeros(2, 4))).all()


def test_nearest_is_a_loop_over_entries(patches):
    words = torch.arange(100.0).reshape(50, 2)
    search = fit_nearest(Moments.of(patches), patches[:50], words)
    bank, projection = search.get_buffer("bank"), search.get_buffer("projection")
    asked = (patches[60:64] - patches.mean(0)) @ projection
    for i, one in enumerate(asked):
        distances = (bank - one).square().sum(1)
        expected = (distances.min() / 7).sqrt()
        torch.testing.assert_close(search(patches[60 + i]), expected, atol=1e-3, rtol=1e-3)
        assert search.nearest(patches[60 + i]) == distances.argmin()
        alike = words[distances.topk(ALIKE, largest=False).indices].mean(0)
        found = search.compare(patches[60 + i])
        torch.testing.assert_close(found, (search(patches[60 + i]), alike))
    others = (torch.arange(50) != search.nearest(patches[60])).nonzero()[:, 0]
    assert search.compare(patches[60], others)[0] > search(patches[60])


def test_fewer_entries_than_are_averaged_are_all_averaged(patches):
    words = torch.tensor([[1.0], [2.0], [6.0]])
    search = fit_nearest(Moments.of(patches), patches[:3], words)
    assert search.compare(patches[7])[1].item() == pytest.approx(3.0)


def test_the_coreset_leaves_no_patch_far_from_all(patches):
    chosen = farthest_first(patches, 40)
    assert len(set(chosen.tolist())) == 40
    cover = torch.cdist(patches, patches[chosen]).amin(1).max()
    assert cover < torch.cdist(patches, patches[:40]).amin(1).max()
    assert farthest_first(patches[:10], 40).tolist() == list(range(10))


def test_candidates_know_where_they_come_from(patches):
    level = patches.reshape(3, 100, 7)
    words = torch.rand(3, 2, 100, generator=torch.Generator().manual_seed(1))
    seen = Patches(level, words, torch.arange(5, 8), torch.arange(100).expand(3, 100))
    offered = candidates(seen, torch.Generator().manual_seed(0))
    for i, (owner, place) in enumerate(zip(offered.owners, offered.places, strict=True)):
        assert torch.equal(offered.entries[i], level[owner - 5, place])
        assert torch.equal(offered.words[i], words[owner - 5, :, place])
    both = offered + Coreset(patches[:1], torch.tensor([9]), torch.tensor([0]), words[:1, :, 0])
    assert set(both.without({5, 6}).owners.tolist()) == {7, 9}
