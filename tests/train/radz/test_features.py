"""What the tower saw is the same from the cache and from the tower."""

from __future__ import annotations

import pytest
import torch

from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.data.manifest import read_manifest
from zerosight.train.config import CacheConfig
from zerosight.train.radz.features import FeatureSource
from zerosight.train.radz.samples import StudyData, read_studies


@pytest.fixture(scope="module")
def mllm():
    return random_mllm()


def pairs(source, studies):
    rows = read_studies((read_manifest(studies),), ("train",))
    data = StudyData(rows, source.mllm.preprocess, source.lookup, "report", 0)
    return [data[0, i] for i in range(3)]


@pytest.mark.parametrize(("dtype", "error"), [("float32", 0.0), ("float16", 2e-3)])
def test_the_cache_gives_what_the_tower_gave(mllm, studies, tmp_path, dtype, error):
    plain = FeatureSource(mllm, CacheConfig())
    expected = plain.features(pairs(plain, studies))
    source = FeatureSource(mllm, CacheConfig(folder=tmp_path, dtype=dtype))
    first = pairs(source, studies)
    assert all(pair.seen is None for pair in first)
    missed = source.features(first)
    second = pairs(source, studies)
    assert all(pair.pixels is None for pair in second)
    assert torch.equal(missed, source.features(second))
    assert torch.equal(missed, source.features([second[0], first[1], second[2]]))
    torch.testing.assert_close(missed.float(), expected, atol=error, rtol=error)
    assert missed.shape == expected.shape


def test_another_tower_meets_no_entry(mllm, studies, tmp_path):
    source = FeatureSource(mllm, CacheConfig(folder=tmp_path))
    source.features(pairs(source, studies))
    other = FeatureSource(random_mllm(seed=1), CacheConfig(folder=tmp_path))
    assert all(pair.seen is None for pair in pairs(other, studies))
