"""Familiarity at the end of a run: what is like training is told from the rest, if there is enough."""

from __future__ import annotations

import pytest
import torch

from zerosight.errors import DataError
from zerosight.models.familiarity import load_familiarity
from zerosight.train.familiar import keep_familiarity


def looks(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))


def test_what_was_learnt_is_saved_and_marks_strangers(tmp_path):
    record = keep_familiarity(looks(60, 0), looks(100, 1), tmp_path, "a test")
    assert (record.images, record.held_out, record.refused, record.source) == (60, 100, 0.01, "a test")
    found = load_familiarity(tmp_path, record.sha256)
    assert found.threshold == record.threshold
    assert sum(found.is_familiar(looks(40, 2))) > 30
    assert not any(found.is_familiar(9 + looks(40, 3)))


def test_too_few_held_out_images_are_one_line(tmp_path):
    with pytest.raises(DataError, match="held-out"):
        keep_familiarity(looks(60, 0), looks(10, 1), tmp_path, "a test")
    assert not list(tmp_path.iterdir())
