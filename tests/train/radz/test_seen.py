"""What the tower saw is the same from the cache and from the tower."""

from __future__ import annotations

import pytest
import torch

from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.train.config import CacheConfig
from zerosight.train.radz.pairs import StudyData
from zerosight.train.radz.seen import SeenSource
from zerosight.train.radz.studies import read_studies


@pytest.fixture(scope="module")
def mllm():
    return random_mllm()


def pairs(source, settings, tmp_path):
    config = settings(tmp_path)
    data = StudyData(read_studies(config, ("train",)), source.mllm.preprocess, source.lookup, config)
    return [data[0, i] for i in range(3)]


@pytest.mark.parametrize(("dtype", "error"), [("float32", 0.0), ("float16", 2e-3)])
def test_the_cache_gives_what_the_tower_gave(mllm, settings, tmp_path, dtype, error):
    plain = SeenSource(mllm, CacheConfig())
    expected = plain.seen(pairs(plain, settings, tmp_path))
    source = SeenSource(mllm, CacheConfig(folder=tmp_path, dtype=dtype))
    first = pairs(source, settings, tmp_path)
    assert all(pair.seen is None for pair in first)
    missed = source.seen(first)
    second = pairs(source, settings, tmp_path)
    assert all(pair.pixels is None for pair in second)
    assert torch.equal(missed, source.seen(second))
    assert torch.equal(missed, source.seen([second[0], first[1], second[2]]))
    torch.testing.assert_close(missed.float(), expected, atol=error, rtol=error)
    assert missed.shape == expected.shape


def test_another_tower_meets_no_entry(mllm, settings, tmp_path):
    source = SeenSource(mllm, CacheConfig(folder=tmp_path))
    source.seen(pairs(source, settings, tmp_path))
    other = SeenSource(random_mllm(seed=1), CacheConfig(folder=tmp_path))
    assert all(pair.seen is None for pair in pairs(other, settings, tmp_path))
