"""Image towers of timm: patches on one grid, whatever the network; what cannot be had is one line."""

from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from zerosight.backbones.build import build_encoder
from zerosight.backbones.config import parse_backbone, parse_tower
from zerosight.backbones.image_tower import ImageTower
from zerosight.backbones.timm import TimmTower, timm_tower
from zerosight.errors import ConfigError, WeightsError


def tower(name: str) -> TimmTower:
    return timm_tower(parse_tower(f"timm:{name}"))


@pytest.mark.parametrize(
    ("name", "grid", "channels"),
    [("test_vit@random:0#96", 6, (64, 64)), ("test_efficientnet@random:0#96", 12, (32, 48))],
    ids=["transformer", "convolutional"],
)
def test_a_tower_gives_standardised_patches_on_one_grid(name, grid, channels):
    found = tower(name)
    assert isinstance(found, ImageTower)
    images = torch.rand(3, 3, 96, 96)
    levels = found.encode_levels(images)
    assert [tuple(level.shape) for level in levels] == [(3, grid * grid, count) for count in channels]
    assert all(level.mean(-1).abs().max() < 1e-4 for level in levels)
    alone = found.encode_levels(images[1:2])
    assert all(torch.allclose(a, b[1:2], atol=1e-5) for a, b in zip(alone, levels, strict=True))
    fast = found.fast().encode_levels(images)
    assert all(F.cosine_similarity(a, b, dim=-1).min() > 0.98 for a, b in zip(fast, levels, strict=True))


def test_the_patches_are_those_of_timm_and_the_constants_too():
    found = tower("test_efficientnet@random:3")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = timm.create_model("test_efficientnet", num_classes=0).eval()
    images = torch.rand(1, 3, 160, 160)
    fine = network.forward_intermediates(images, indices=[2], intermediates_only=True)[0]
    expected = F.layer_norm(fine.flatten(2).transpose(1, 2), fine.shape[1:2])
    torch.testing.assert_close(found.encode_levels(images)[0], expected)
    data = timm.data.resolve_model_data_config(network)
    assert (found.preprocess.size, found.preprocess.mean) == (data["input_size"][-1], data["mean"])


def test_weights_from_a_file_are_those_of_the_file(tmp_path):
    network = timm.create_model("test_vit")  # with its classes: they are left out
    save_file(network.state_dict(), tmp_path / "mine.safetensors")
    torch.save({"model": network.state_dict()}, tmp_path / "mine.pth")
    one, other = (tower(f"test_vit@{tmp_path / name}") for name in ("mine.safetensors", "mine.pth"))
    assert one.fingerprint == other.fingerprint != tower("test_vit@random:0").fingerprint
    torch.testing.assert_close(one.towers.cls_token, network.cls_token)
    with pytest.raises(WeightsError, match="holds no weights of test_convnext"):
        tower(f"test_convnext@{tmp_path / 'mine.safetensors'}")


def test_blocks_and_size_are_chosen():
    config = parse_tower("timm:test_vit@random:0").model_copy(update={"blocks": (1, 2), "image_size": 64})
    found = timm_tower(config)
    assert (found.blocks, found.grid, found.preprocess.size) == ((0, 1), 4, 64)
    with pytest.raises(ConfigError, match="blocks: should be from 1 to 6, got 7"):
        timm_tower(config.model_copy(update={"blocks": (7,)}))


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("test_vitt", ConfigError, r"no network called 'test_vitt'.*test_vit"),
        ("test_vit.mine", ConfigError, r"has no weights 'mine'; it has r160_in1k"),
        ("test_vit@/none.safetensors", WeightsError, "no such file"),
        ("test_vit@random:0#large", ConfigError, "after # comes the input size"),
        ("test_vit@random:0#97", ConfigError, "does not read 97 px"),
        ("", ConfigError, "followed by a network's name"),
        ("test_vit.r160_in1k", WeightsError, r"could not be downloaded.*timm/test_vit.r160_in1k.*NETWORK@"),
        ("hf-hub:nobody/nothing", WeightsError, r"could not be downloaded.*nobody/nothing"),
    ],
)
def test_what_cannot_be_had_is_one_line(monkeypatch, name, kind, words):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(kind, match=words) as error:
        tower(name)
    assert "\n" not in str(error.value)


def test_a_tower_is_no_backbone_of_a_model_with_words():
    with pytest.raises(ConfigError, match=r"reads no words.*fit GOOD_IMAGES --backbone"):
        build_encoder(parse_backbone("timm:test_vit@random:0"))
