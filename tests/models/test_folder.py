from __future__ import annotations

import json

import pytest
import torch

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import ConfigError, WeightsError
from zerosight.models.card import ModelCard, render
from zerosight.models.catalog import find_model, shipped_models
from zerosight.models.folder import copy_model, load_model, save_model
from zerosight.models.vip2clip.model import Vip2Clip, Vip2ClipConfig


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    model = Vip2Clip(tiny_encoder(3), Vip2ClipConfig(n_context=5, top_k=9))
    save_model(model, ModelCard(name="saved", backbone=BackboneConfig(kind="tiny", seed=3)), tmp_path / "m")
    return tmp_path / "m"


def test_there_and_back(folder):
    model, card = load_model(folder)
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
    assert "| a | 0.5 |" in render(ModelCard(name="x", quality=rows))
    assert "| b | – |" in render(ModelCard(name="x", quality=rows))


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


def test_names_that_are_no_model_are_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"did you mean 'vip2clip-lite'"):
        find_model("vip2clip-lit")
    with pytest.raises(WeightsError, match=r"it has no card\.json"):
        load_model(tmp_path)


def test_a_copy_with_another_card_loads(folder, tmp_path):
    copy_model(folder, load_model(folder)[1].model_copy(update={"name": "copied"}), tmp_path / "copy")
    assert load_model(tmp_path / "copy")[1].name == "copied"


def test_the_shipped_model_is_small_and_loads():
    path = shipped_models()["vip2clip-lite"]
    assert sum(file.stat().st_size for file in path.iterdir()) < 10_000_000
    _, card = load_model("vip2clip-lite")
    assert card.training["data"]
    assert card.quality
