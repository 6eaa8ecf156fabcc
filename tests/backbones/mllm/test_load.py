from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from zerosight.backbones.mllm.adapters import adapt, load_adapter, save_adapter
from zerosight.backbones.mllm.config import AdaptConfig, MllmConfig
from zerosight.backbones.mllm.load import _unquantised, load_mllm
from zerosight.backbones.mllm.model import Mllm
from zerosight.backbones.mllm.tiny import TinyFamily, random_mllm
from zerosight.errors import ConfigError, MissingExtraError, WeightsError

CARD = "---\nlicense: apache-2.0\ntags: [x]\n---\n# Tiny\n"


def saved(shape: TinyFamily, folder: Path) -> Path:
    """Write a miniature as the hub holds real models."""
    mllm = random_mllm(shape)
    mllm.model.save_pretrained(folder)
    mllm.tokenizer.save_pretrained(folder)
    constants = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(constants))
    (folder / "README.md").write_text(CARD)
    return folder


def load(folder: Path | str, **settings: Any) -> Any:
    return load_mllm(MllmConfig(model=str(folder), **settings))


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a stored miniature; tests leave it as it is."""
    return saved("llava", tmp_path_factory.mktemp("llava"))


@pytest.fixture
def own(llava: Path, tmp_path: Path) -> Path:
    """Return a stored miniature that a test may spoil."""
    return shutil.copytree(llava, tmp_path / "own")


@pytest.mark.parametrize("shape", ["llava", "llava-qwen", "smolvlm", "gemma3", "internvl"])
def test_a_stored_model_is_the_model(shape: TinyFamily, tmp_path: Path, pixels: Tensor) -> None:
    mllm, plain = load(saved(shape, tmp_path)), random_mllm(shape)
    assert mllm.preprocess == plain.preprocess
    seen = mllm.see(pixels)
    assert torch.equal(mllm.encode_images(seen).cls, plain.encode_images(plain.see(pixels)).cls)
    assert torch.equal(mllm.encode_texts(["edema"]).cls, plain.encode_texts(["edema"]).cls)
    assert not mllm.training
    assert mllm.licence == "apache-2.0"


def test_precision_and_device(llava: Path, pixels: Tensor) -> None:
    mllm = load(llava, dtype="bfloat16", device_map="cpu")
    assert mllm.encode_images(mllm.see(pixels)).cls.dtype == torch.bfloat16
    assert mllm.fingerprint != load(llava).fingerprint
    assert mllm.provenance.base == load(llava).provenance.base


def test_an_adapter_trained_on_it_comes_back(llava: Path, tmp_path: Path) -> None:
    mllm = adapt(load(llava, adapt=AdaptConfig(rank=2)))
    with torch.no_grad():
        mllm.text_cls.add_(1)
    save_adapter(mllm, tmp_path / "a.safetensors")
    again = load_adapter(load(llava, dtype="bfloat16"), tmp_path / "a.safetensors")
    assert torch.equal(again.text_cls, mllm.text_cls)


def test_the_base_changes_with_a_weight(llava: Path, own: Path) -> None:
    tensors = load_file(own / "model.safetensors")
    tensors[min(tensors)] += 1
    save_file(tensors, own / "model.safetensors", {"format": "pt"})
    assert load(own).provenance.base != load(llava).provenance.base


def test_a_chat_template_beside_the_tokenizer_is_used(own: Path) -> None:
    template = "{% for m in messages %}Q: {{ m['content'][0]['text'] }} A:{% endfor %}"
    (own / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    assert load(own).tokenizer.chat_template == template


def test_a_random_model_by_name() -> None:
    assert load("random:smolvlm", seed=3).provenance.base == random_mllm("smolvlm", 3).provenance.base
    with pytest.raises(
        ConfigError, match=r"no random model \(did you mean 'llava'\?\); give random: and one of"
    ):
        load("random:lava")


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        (
            "---\nlicense: other\nlicense_name: hai-def\nlicense_link: https://x.y\n---\n",
            "hai-def (https://x.y)",
        ),
        ("---\nlicense: mit\nbad: [\n---\n", "unknown"),
        ("no front matter", "unknown"),
        ("---\nlicense: |\n  a\n  b\n---\n", "a b"),
    ],
)
def test_the_licence_is_one_line_of_the_card(own: Path, card: str, licence: str) -> None:
    (own / "README.md").write_text(card)
    assert load(own).licence == licence


def test_offline_says_what_to_get_and_what_works_without() -> None:
    with pytest.raises(WeightsError) as caught:
        load("llava-hf/llava-1.5-7b-hf")
    message = str(caught.value)
    assert "hf download llava-hf/llava-1.5-7b-hf --local-dir FOLDER" in message
    assert "'radz-tiny' needs no download" in message
    assert "\n" not in message


def test_a_name_that_cannot_be_a_repository() -> None:
    with pytest.raises(ConfigError, match="is no folder and cannot be a repository"):
        load("no/such/folder/here")


def test_pickled_weights_are_not_opened(own: Path) -> None:
    torch.save(load_file(own / "model.safetensors"), own / "pytorch_model.bin")
    (own / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="pickled weights are never opened"):
        load(own)


def test_damaged_weights_are_an_error(own: Path) -> None:
    file = own / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load(own)


def test_incomplete_weights_are_an_error(own: Path) -> None:
    tensors = load_file(own / "model.safetensors")
    lost = next(name for name in tensors if "linear_1.weight" in name)
    del tensors[lost]
    save_file(tensors, own / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"its weights lack '.*linear_1.weight'"):
        load(own)


def test_a_model_of_another_kind_is_an_error(own: Path) -> None:
    (own / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(
        WeightsError, match="is a 'bert' model; give a vision-language model of one of the types"
    ):
        load(own)
    (own / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"no config\.json that names a model_type"):
        load(own)
    (own / "config.json").write_text("{")
    with pytest.raises(WeightsError, match=r"config.json: is damaged"):
        load(own)


def test_code_in_a_folder_is_not_run(own: Path) -> None:
    config = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoConfig": "evil.Config"}}))
    (own / "evil.py").write_text("raise SystemExit('was run')")
    assert load(own).grid == 4


def test_a_tokenizer_without_the_image_token_is_an_error(own: Path) -> None:
    config = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps(config | {"image_token_index": 9999}))
    with pytest.raises(WeightsError, match=r"no image token \(id 9999\)"):
        load(own)


def test_a_folder_without_tokenizer_or_constants_is_an_error(own: Path) -> None:
    (own / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsError, match="lacks image_mean and image_std"):
        load(own)
    (own / "preprocessor_config.json").write_text('{"image_mean": [0.5], "image_std": [0.5]}')
    with pytest.raises(WeightsError, match="lacks image_mean and image_std"):
        load(own)


def test_fewer_bits_need_an_extra(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'zerosight\[quantised\]'"):
        load(llava, quantise="4bit")


def test_unknown_settings_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'cls_token' \(did you mean 'cls_tokens'\?\)"):
        MllmConfig.parse({"model": "x", "cls_token": 4})


def test_tower_projector_and_head_are_not_quantised(mllm: Mllm) -> None:
    kept = [mllm.model.get_submodule(name) for name in _unquantised(mllm.family)]
    assert kept == [mllm.tower, mllm.projector, mllm.model.get_output_embeddings()]
