"""Folders of references: what is saved is what is loaded; damage and other backbones are one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import WeightsError
from zerosight.models.references.fit import add_block, build
from zerosight.models.references.folder import LoadedReferences, describe, load_references, save_references
from zerosight.models.references.scorer import ReferenceScorer
from zerosight.models.vip2clip.card import Vip2ClipCard


@pytest.fixture
def loaded(base, block) -> LoadedReferences:
    normals = add_block(None, block)
    fitted = build(base, normals, 0.1, 0.02)
    card = Vip2ClipCard(
        name="parts",
        model=base.config,
        backbone=BackboneConfig(kind="tiny", seed=3, image_size=48),
        backbone_fingerprint=base.encoder.fingerprint,
    )
    return LoadedReferences(fitted, normals, describe(card, normals, fitted, (0.1, 0.02)))


def test_what_is_loaded_scores_as_what_was_saved(loaded, pictures, tmp_path):
    card = save_references(loaded, tmp_path / "mine")
    again = load_references(tmp_path / "mine")
    assert again.card == card
    assert (card.name, len(card.normals), card.images.alpha) == ("mine", 12, 0.1)
    pixels = pictures(5, seed=8, defects=True)
    for left, right in zip(*(ReferenceScorer(one).score(pixels) for one in (loaded, again)), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_the_card_says_what_is_promised(loaded, tmp_path):
    save_references(loaded, tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "Normal images: 12" in text
    assert "Expected false alarms: at most 7.7%" in text
    assert all(len(one.sha256) for one in loaded.card.normals)
    reached = [one.held_out >= 0.5 for one in loaded.card.normals]
    assert sum(reached) == 0


def test_another_backbone_is_one_line(loaded, tmp_path):
    save_references(loaded, tmp_path)
    with pytest.raises(WeightsError, match="another backbone"):
        load_references(tmp_path, tiny_encoder(4, 48))


def test_damage_is_one_line(loaded, tmp_path):
    save_references(loaded, tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="damaged"):
        load_references(tmp_path)


def test_a_card_of_other_images_is_one_line(loaded, tmp_path):
    save_references(loaded, tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    card["normals"] = card["normals"][:-1]
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="does not fit its card"):
        load_references(tmp_path)
