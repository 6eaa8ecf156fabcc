"""Questions in words: one per finding, in order, "no finding" not negated twice."""

from __future__ import annotations

import numpy as np
import torch

from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.models.llava_radz.vqa import NORMAL, question_about, yes_log_odds


def test_questions():
    assert question_about("Pleural_Thickening") == "Is there pleural thickening? Answer yes or no."
    assert question_about("No Finding") == NORMAL
    assert "no finding" not in NORMAL.lower()


def test_log_odds_are_yes_against_no_of_each_question():
    mllm = random_mllm("llava")
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8))
    found = yes_log_odds(mllm, pixels, ["edema", "no finding"])
    assert found.shape == (3, 2)
    for row in range(3):
        seen = mllm.see(pixels[row : row + 1])
        for column, question in enumerate([question_about("edema"), NORMAL]):
            yes, no = mllm.yes_no_logits(seen, [question])[0]
            torch.testing.assert_close(found[row, column], yes - no, atol=1e-5, rtol=0)
