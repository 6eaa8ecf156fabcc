"""Familiarity at the end of a run: what is like training is told from the rest, if there is enough."""

from __future__ import annotations

import pytest
import torch

from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.errors import DataError
from zerosight.models.llava_radz.familiarity import load_familiarity
from zerosight.train.config import CacheConfig
from zerosight.train.radz.familiar import learn_familiarity
from zerosight.train.radz.features import FeatureSource
from zerosight.train.radz.samples import Pair, PairBatch


def batches(count: int, seed: int) -> list[PairBatch]:
    seen = torch.randn(count, 3, 8, generator=torch.Generator().manual_seed(seed))
    pairs = [Pair(str(i), one, None, "", {}) for i, one in enumerate(seen)]
    return [PairBatch(pairs[: count // 2]), PairBatch(pairs[count // 2 :])]


def test_what_was_learnt_is_saved_and_marks_strangers(tmp_path):
    source = FeatureSource(random_mllm(), CacheConfig())
    record = learn_familiarity(source, batches(60, 0), batches(100, 1), tmp_path)
    assert (record.images, record.held_out, record.refused) == (60, 100, 0.01)
    found = load_familiarity(tmp_path)
    assert found.threshold == record.threshold
    like, unlike = torch.randn(40, 3, 8), 5 + torch.randn(40, 3, 8)
    assert sum(found.is_familiar(like)) > 30
    assert not any(found.is_familiar(unlike))


def test_too_few_held_out_images_are_one_line(tmp_path):
    source = FeatureSource(random_mllm(), CacheConfig())
    with pytest.raises(DataError, match="held-out"):
        learn_familiarity(source, batches(60, 0), batches(10, 1), tmp_path)
    assert not list(tmp_path.iterdir())
