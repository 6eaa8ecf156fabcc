"""The shipped weights on real images that are kept outside the repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zerosight
from zerosight.data.layouts import read_layout
from zerosight.metrics import ImageMetrics
from zerosight.types import Prediction


@pytest.mark.realdata
def test_tumours_score_higher_than_healthy_brains(realdata: Path):
    data = read_layout("brain_mri", realdata / "brain_mri")
    records = list(data.records())
    predictor = zerosight.load("vip2clip-lite")
    found = list(predictor.predict([data.resolve(record.image) for record in records]))
    assert all(isinstance(result, Prediction) for result in found)
    scores = np.array([result.score for result in found])
    labels = np.array([record.label for record in records])
    assert ImageMetrics().update(scores, labels).compute().auroc.value > 0.75
