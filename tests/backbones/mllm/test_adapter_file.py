from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from zerosight.backbones.mllm.adapt import adapt
from zerosight.backbones.mllm.adapter_file import load_adapter, restore_tensors, save_adapter, trained_tensors
from zerosight.backbones.mllm.config import AdaptConfig, MllmConfig
from zerosight.backbones.mllm.model import Mllm
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.errors import WeightsError

LORA = AdaptConfig(rank=4, alpha=8)


def moved(settings: AdaptConfig = LORA) -> Mllm:
    """Return an adapted model whose trained weights are not what they started as."""
    mllm = adapt(random_mllm("llava", config=MllmConfig(model="random:llava", adapt=settings)))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in mllm.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return mllm.eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("adapter") / "adapter.safetensors"
    save_adapter(moved(), path)
    return path


@pytest.mark.parametrize("settings", [LORA, AdaptConfig(method="full"), AdaptConfig(method="frozen")])
def test_round_trip(settings: AdaptConfig, tmp_path: Path, pixels: Tensor) -> None:
    mllm = moved(settings)
    save_adapter(mllm, tmp_path / "a.safetensors")
    again = load_adapter(random_mllm("llava"), tmp_path / "a.safetensors").eval()
    seen = mllm.see(pixels)
    assert again.config.adapt == settings
    assert torch.equal(again.encode_images(seen).cls, mllm.encode_images(seen).cls)
    assert torch.equal(again.encode_texts(["edema"]).cls, mllm.encode_texts(["edema"]).cls)


def test_only_what_is_trained_is_saved() -> None:
    mllm = moved()
    names = set(trained_tensors(mllm))
    assert names == {name for name, parameter in mllm.named_parameters() if parameter.requires_grad}
    assert sum(tensor.numel() for tensor in trained_tensors(mllm).values()) < 30_000


def test_the_same_weights_are_the_same_bytes(file: Path, tmp_path: Path) -> None:
    for number in range(4):
        save_adapter(moved(), tmp_path / f"{number}.safetensors")
        assert (tmp_path / f"{number}.safetensors").read_bytes() == file.read_bytes()


def test_it_fits_the_base_in_another_precision(file: Path) -> None:
    plain = random_mllm("llava")
    plain.model.bfloat16()
    assert load_adapter(plain, file).encode_texts(["edema"]).cls.dtype == torch.bfloat16


def test_another_base_is_an_error(file: Path) -> None:
    with pytest.raises(WeightsError, match=r"was trained on another base model \(random:llava, \w{16}\)"):
        load_adapter(random_mllm("llava", seed=1), file)


def test_another_way_of_reading_is_an_error(file: Path) -> None:
    mllm = random_mllm("llava", config=MllmConfig(model="random:llava", cls_tokens=5))
    with pytest.raises(WeightsError, match=r'was trained with .*"cls_tokens": 4.* but the model is read'):
        load_adapter(mllm, file)


def test_a_damaged_file_is_an_error(file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="is damaged"):
        load_adapter(random_mllm("llava"), cut)
    with pytest.raises(WeightsError, match="no such file"):
        load_adapter(random_mllm("llava"), tmp_path / "absent.safetensors")


def test_a_file_of_someone_else_is_an_error(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="does not say which model it belongs to"):
        load_adapter(random_mllm("llava"), tmp_path / "other.safetensors")


def test_weights_that_do_not_fit_are_an_error() -> None:
    mllm = moved()
    tensors = trained_tensors(mllm)
    with pytest.raises(WeightsError, match="'image_cls' is missing, unknown or of another shape"):
        restore_tensors(mllm, {name: t for name, t in tensors.items() if name != "image_cls"}, "here")
    with pytest.raises(WeightsError, match="here: is not of this model: 'text_cls'"):
        restore_tensors(mllm, tensors | {"text_cls": torch.zeros(1, 1)}, "here")
