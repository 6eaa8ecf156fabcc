"""What fingerprints are made of: were the texts to change, every cache and card would be another model's."""

from __future__ import annotations

import json

import pytest
from torch import nn

from zerosight.backbones.fingerprint import fingerprint, settings_text
from zerosight.backbones.lite import lite_encoder
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.lite import lite_mllm
from zerosight.models.catalog import shipped_models
from zerosight.preprocess import Preprocess

HALF = (0.5, 0.5, 0.5)
SQUASH, PAD = Preprocess(8, HALF, HALF), Preprocess(8, HALF, HALF, "pad")
TEXT = "Preprocess(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))"


def test_the_texts_are_those_of_earlier_releases():
    assert settings_text(("a", "b"), SQUASH) == f"(('a', 'b'), {TEXT})"
    assert (
        settings_text("base", PAD, [("read_layer", -2)]) == f"('base', {TEXT}, 'pad', [('read_layer', -2)])"
    )
    assert settings_text("llava") == "('llava',)"


def test_another_fit_is_another_fingerprint():
    layer = nn.Linear(2, 2)
    assert fingerprint(layer, "x", SQUASH) != fingerprint(layer, "x", PAD)
    assert fingerprint(layer, "x", SQUASH) == fingerprint(layer, "x", Preprocess(8, HALF, HALF, "squash"))


@pytest.mark.parametrize(
    ("model", "key", "made"),
    [
        ("vip2clip-lite", "backbone_fingerprint", lambda card: lite_encoder().fingerprint),
        ("radz-tiny", "base_fingerprint", lambda card: lite_mllm(MllmConfig.parse(card["mllm"])).fingerprint),
    ],
)
def test_shipped_cards_name_the_backbone_that_is_built_today(model, key, made):
    card = json.loads((shipped_models()[model] / "card.json").read_text())
    assert card[key] == made(card)
