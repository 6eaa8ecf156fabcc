"""Folders of strangers, refused before transformers opens them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.load import load_mllm
from zerosight.backbones.mllm.stored import check_values, weight_files
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.errors import WeightsError


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a stored miniature; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("llava")
    mllm = random_mllm("llava")
    mllm.model.save_pretrained(folder)
    mllm.tokenizer.save_pretrained(folder)
    constants = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(constants))
    return folder


@pytest.fixture
def own(sound: Path, tmp_path: Path) -> Path:
    """Return a stored miniature that a test may spoil."""
    return shutil.copytree(sound, tmp_path / "own")


def index(folder: Path, name: object) -> None:
    """Let an index say that all weights are in one file, and take away the file that needs no index."""
    names = load_file(folder / "model.safetensors")
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, name)})
    )
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")


def test_an_index_of_safetensors_is_followed(own: Path) -> None:
    index(own, "part.safetensors")
    (own.parent / "outside.safetensors").rename(own / "part.safetensors")
    assert weight_files(own) == (own / "part.safetensors",)
    assert load_mllm(MllmConfig(model=str(own))).fingerprint


@pytest.mark.parametrize("name", ["plain.bin", "../outside.safetensors", "a\\b.safetensors", "", 3, None])
def test_an_index_that_leads_elsewhere_is_refused(own: Path, name: object) -> None:
    torch.save(load_file(own / "model.safetensors"), own / "plain.bin")
    index(own, name)
    with pytest.raises(WeightsError, match="only safetensors in the same folder are opened"):
        load_mllm(MllmConfig(model=str(own)))


def test_an_index_must_be_whole(own: Path) -> None:
    index(own, "absent.safetensors")
    with pytest.raises(WeightsError, match=r"lacks 'absent\.safetensors', which its index names"):
        weight_files(own)
    (own / "model.safetensors.index.json").write_text("[" * 100_000)
    with pytest.raises(WeightsError, match="is damaged"):
        weight_files(own)
    (own / "model.safetensors.index.json").unlink()
    with pytest.raises(WeightsError, match="pickled weights are never opened"):
        weight_files(own)


def test_an_adapter_is_no_model(own: Path) -> None:
    (own / "adapter_config.json").write_text("{}")
    with pytest.raises(WeightsError, match="holds an adapter to another model"):
        weight_files(own)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"text_config": {"num_hidden_layers": 10**9}}, "num_hidden_layers 1000000000, at most 1000"),
        ({"vision_config": [{"hidden_size": 2**40}]}, "hidden_size 1099511627776, at most"),
        ({"transformers_weights": "adapter_model.bin"}, "leads to other files"),
        ({"_attn_implementation": "someone/kernel"}, "code of others"),
    ],
)
def test_values_that_no_model_has_are_refused(values: dict, says: str) -> None:
    check_values({"text_config": {"num_hidden_layers": 32, "tie": True}}, "m")
    with pytest.raises(WeightsError, match=says):
        check_values(values, "m")


@pytest.mark.parametrize(
    "change",
    [
        {"intermediate_size": 1_000_000},
        {"num_hidden_layers": 1.5},
        {"num_attention_heads": 0},
        {"num_attention_heads": 5},
        {"model_type": ["llama"]},
    ],
)
def test_a_configuration_of_another_model_is_one_line(own: Path, change: dict) -> None:
    config = json.loads((own / "config.json").read_text())
    config["text_config"] |= change
    (own / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"config\.json") as refused:
        load_mllm(MllmConfig(model=str(own)))
    assert "\n" not in str(refused.value)
