from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from zerosight.metrics import mean_auroc
from zerosight.models.llava_radz.anchors import anchor_texts
from zerosight.models.llava_radz.descriptions import load_descriptions
from zerosight.train.radz.samples import Study
from zerosight.train.radz.validation import Validation, judged


def embed(texts):
    """Return a vector per text: whether it denies."""
    denies = [text.lower().startswith(("no ", "there is no")) for text in texts]
    return torch.tensor([[0.0, 1.0] if no else [1.0, 0.0] for no in denies])


def test_findings_are_judged_by_five_images_of_either_kind(tmp_path):
    rows = [Study(tmp_path, "", "", {"edema": i % 2, "mass": int(i > 1), "hernia": None}) for i in range(10)]
    assert judged(rows) == ("edema",)
    assert judged(rows[:9]) == ()
    assert judged([]) == ()


def test_the_mean_leaves_unknown_labels_out():
    rng = np.random.default_rng(0)
    scores = rng.random((40, 2)).astype(np.float32)
    labels = rng.integers(0, 2, (40, 2)).astype(float)
    labels[:5, 1] = np.nan
    expected = (roc_auc_score(labels[:, 0], scores[:, 0]) + roc_auc_score(labels[5:, 1], scores[5:, 1])) / 2
    assert mean_auroc(scores, labels).value == pytest.approx(expected)


@pytest.mark.parametrize("mode", ["cosine", "pos-neg"])
def test_images_are_scored_against_anchors_and_forgotten(mode):
    validation = Validation(anchor_texts(["edema"], load_descriptions()), mode)
    images = {1: torch.tensor([[1.0, 0.2]]), 0: torch.tensor([[0.2, 1.0]])}
    for present in (1, 0, 1, 0):
        validation.add(images[present].repeat(8, 1), [{"edema": present}] * 8)
    judgement = validation.finish(embed, 0.07)
    assert judgement.auroc == 1
    assert judgement.calibration.mode == mode
    assert judgement.calibration.source == "32 held-out images"
    assert judgement.calibration.findings["edema"].positives == 16
    assert validation.images == validation.labels == []
