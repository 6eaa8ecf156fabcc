"""Verdicts of several views: the mean of scores, and of maps at the size of the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zerosight.ablate.vip2clip.material import TestSet, read_sets
from zerosight.ablate.vip2clip.measure import View, judge
from zerosight.backbones.tiny import tiny_encoder
from zerosight.data.manifest import read_manifest
from zerosight.models.baselines.detector import Detector
from zerosight.train.vip2clip.features import FeatureSource


@pytest.fixture(scope="module")
def test_set(toy: Path) -> TestSet:
    [test] = read_sets(read_manifest(toy / "aux.jsonl"), [read_manifest(toy / "marked.jsonl")]).tests
    return test


def view(seed: int, size: int | None = None) -> View:
    """Return a random detector."""
    encoder = tiny_encoder(image_size=size) if size else tiny_encoder()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return View(Detector(encoder).eval(), FeatureSource(encoder))


def test_scores_are_averaged(test_set):
    views = [view(1), view(2), view(3, size=64)]
    alone = [judge([one], test_set) for one in views]
    both = judge(views, test_set)
    np.testing.assert_allclose(both.scores, np.mean([one.scores for one in alone], axis=0), atol=1e-7)
    assert not np.allclose(both.scores, alone[0].scores)
    assert both.pixels.sum() == alone[0].pixels.sum() < alone[2].pixels.sum()  # at the first's size


def test_a_view_twice_is_the_view(test_set):
    alone, twice = (judge([view(1)] * times, test_set) for times in (1, 2))
    assert np.array_equal(alone.scores, twice.scores)
    assert np.array_equal(alone.pixels, twice.pixels)


def test_maps_of_another_size_lie_where_they_lay(test_set):
    def middle(pixels: np.ndarray) -> np.ndarray:
        counts = pixels.sum(1)
        return (counts * np.arange(counts.shape[-1])).sum(-1) / counts.sum(-1)

    own = judge([view(1, size=64)], test_set).pixels
    half = judge([view(2), view(1, size=64)], test_set).pixels
    other = judge([view(2)], test_set).pixels
    np.testing.assert_allclose(middle(half), (middle(own) + middle(other)) / 2, atol=2)
