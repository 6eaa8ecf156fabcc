"""References on an image tower alone: nothing without normal images, everything with them."""

from __future__ import annotations

import json

import pytest

import zerosight
from zerosight.errors import ConfigError, WeightsError
from zerosight.models.references.folder import load_references

NAMES = ["timm:test_vit@random:0#96", "timm:test_efficientnet@random:0#64"]


@pytest.mark.parametrize("name", NAMES, ids=["transformer", "convolutional"])
def test_normal_images_make_a_model_of_a_tower(pictures, tmp_path, name):
    tower = zerosight.load(name)
    with pytest.raises(ConfigError, match="knows no words, so it has no zero-shot map"):
        list(tower.predict(pictures(1)[0]))
    predictor = tower.with_normals(list(pictures(10)))
    card = predictor.save(tmp_path / "mine")
    assert (card.base.architecture, card.backbone.kind, card.backbone_fingerprint) == (
        "tower",
        "timm",
        tower.scorer.model.encoder.fingerprint,
    )
    assert "Backbone: timm test_" in (tmp_path / "mine" / "README.md").read_text()
    images = [*pictures(2, seed=8), *pictures(2, seed=9, defects=True)]
    again = zerosight.load(tmp_path / "mine")
    left, right = (list(one.predict(images)) for one in (predictor, again))
    assert [p.score for p in left] == pytest.approx([p.score for p in right], abs=1e-5)
    assert max(p.score for p in left[:2]) < min(p.score for p in left[2:])
    inside = left[3].anomaly_map[16:32, 16:32].mean()
    assert inside > left[3].anomaly_map.mean()
    more = again.with_normals(list(pictures(3, seed=4)))
    assert len(more.card.normals) == 13


def test_another_tower_is_one_line(pictures, tmp_path):
    zerosight.load(NAMES[0]).with_normals(list(pictures(3))).save(tmp_path / "mine")
    card = json.loads((tmp_path / "mine" / "card.json").read_text())
    card["base"]["backbone"]["weights"] = "random:1"
    (tmp_path / "mine" / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="was fitted with another backbone"):
        load_references(tmp_path / "mine")
