from __future__ import annotations

import json

import pytest
import torch

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import ConfigError, WeightsError
from zerosight.models.card import render
from zerosight.models.catalog import copy_model, find_model, shipped_models
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import load_model, save_model
from zerosight.models.vip2clip.model import Vip2Clip, Vip2ClipConfig


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    model = Vip2Clip(tiny_encoder(3), Vip2ClipConfig(n_context=5, top_k=9))
    save_model(
        model, Vip2ClipCard(name="saved", backbone=BackboneConfig(kind="tiny", seed=3)), tmp_path / "m"
    )
    return tmp_path / "m"


def test_there_and_back(folder):
    loaded = load_model(folder)
    model, card = loaded.model, loaded.card
    torch.manual_seed(0)
    expected = Vip2Clip(tiny_encoder(3), Vip2ClipConfig(n_context=5, top_k=9))
    assert model.config == expected.config == card.model
    for name, tensor in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_the_card_is_readable_and_says_what_matters(folder):
    text = (folder / "README.md").read_text()
    for part in ("# saved", "research use only", "Image threshold", "SHA-256", "Apache-2.0"):
        assert part in text
    rows = [{"set": "a", "auroc": 0.5}, {"set": "b"}]
    assert "| a | 0.5 |" in render(Vip2ClipCard(name="x", quality=rows))
    assert "| b | – |" in render(Vip2ClipCard(name="x", quality=rows))


def test_changed_weights_another_backbone_and_a_damaged_card_are_refused(folder):
    with pytest.raises(WeightsError, match="was trained on another backbone"):
        load_model(folder, tiny_encoder(4))
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WeightsError, match="is not the file its card describes"):
        load_model(folder)
    (folder / "card.json").write_text("{")
    with pytest.raises(WeightsError, match="is damaged"):
        load_model(folder)


def test_a_card_with_an_unknown_key_names_the_nearest(folder):
    values = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(values | {"licens": "x"}))
    with pytest.raises(ConfigError, match="did you mean 'licence'"):
        load_model(folder)


def test_weights_that_do_not_fit_the_card_are_refused(folder):
    values = json.loads((folder / "card.json").read_text())
    values["model"]["n_context"] = 3
    (folder / "card.json").write_text(json.dumps(values))
    with pytest.raises(WeightsError, match="does not fit its card"):
        load_model(folder)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("hidden", 60_000, "does not fit its card: hidden is 60000 there, 384 in"),
        ("n_conditioned", 500, "does not fit its card"),
        ("n_conditioned", 10**12, "should be less than or equal to 512"),
        ("hidden", 10**12, "should be less than or equal to"),
        ("blur_sigma", 1e9, "should be less than or equal to 1000"),
        ("temperature", 1e-300, "should be greater than or equal to"),
        ("normal_word", "good " * 10**6, "at most 200 characters"),
    ],
)
def test_a_card_never_asks_for_more_than_its_weights(folder, key, value, said, monkeypatch):
    values = json.loads((folder / "card.json").read_text())
    values["model"][key] = value
    (folder / "card.json").write_text(json.dumps(values))
    monkeypatch.setattr("zerosight.models.vip2clip.folder.build_encoder", lambda _: pytest.fail("built"))
    with pytest.raises((WeightsError, ConfigError), match=said) as refused:
        load_model(folder)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("size", [10**12, 8192])
def test_a_card_never_asks_for_pictures_that_no_machine_holds(folder, size):
    values = json.loads((folder / "card.json").read_text())
    values["backbone"]["image_size"] = size
    (folder / "card.json").write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=r"image_size: .* less than or equal to 2048"):
        load_model(folder)


def test_names_that_are_no_model_are_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"did you mean 'vip2clip-lite'"):
        find_model("vip2clip-lit")
    with pytest.raises(WeightsError, match=r"it has no card\.json"):
        load_model(tmp_path)


def test_a_copy_with_another_card_loads(folder, tmp_path):
    copy_model(folder, load_model(folder).card.model_copy(update={"name": "copied"}), tmp_path / "copy")
    assert load_model(tmp_path / "copy").card.name == "copied"


def test_the_shipped_model_is_small_and_loads():
    path = shipped_models()["vip2clip-lite"]
    assert sum(file.stat().st_size for file in path.iterdir()) < 10_000_000
    card = load_model("vip2clip-lite").card
    assert card.training["data"]
    assert card.quality
