from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file
from torch import Tensor

from zerosight.backbones.mllm.adapters import (
    adapt,
    checkpoint_layers,
    load_adapter,
    merge,
    restore_tensors,
    save_adapter,
    trainable_groups,
    trained_tensors,
)
from zerosight.backbones.mllm.config import AdaptConfig, MllmConfig
from zerosight.backbones.mllm.model import Mllm
from zerosight.backbones.mllm.tiny import TinyFamily, random_mllm
from zerosight.errors import ConfigError, WeightsError

LORA = AdaptConfig(rank=4, alpha=8, dropout=0.0)


def adapted(shape: TinyFamily = "llava", adapt_config: AdaptConfig = LORA, seed: int = 0) -> Mllm:
    config = MllmConfig(model=f"random:{shape}", adapt=adapt_config)
    return adapt(random_mllm(shape, config=config), seed)


def trained(mllm: Mllm) -> set[str]:
    return {name for name, parameter in mllm.named_parameters() if parameter.requires_grad}


def loss(mllm: Mllm, pixels: Tensor) -> Tensor:
    image, text = mllm.encode_images(mllm.see(pixels)), mllm.encode_texts(["edema", "The lungs are clear."])
    return image.cls.square().sum() + image.tokens.square().sum() + text.cls.square().sum()


@pytest.mark.parametrize("shape", ["llava", "llava-qwen", "smolvlm", "gemma3"])
def test_updates_start_at_nothing_and_all_get_a_gradient(shape: TinyFamily, pixels: Tensor) -> None:
    plain, mllm = random_mllm(shape), adapted(shape)
    seen = plain.see(pixels)
    assert torch.equal(mllm.see(pixels), seen)
    torch.testing.assert_close(mllm.encode_images(seen).cls, plain.encode_images(seen).cls)
    with torch.no_grad():
        for name, parameter in mllm.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.01)
    loss(mllm, pixels).backward()
    idle = [n for n, p in mllm.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert idle == []
    assert not any(p.grad is not None for p in mllm.tower.parameters())


def test_only_layers_that_run_get_updates() -> None:
    mllm = adapted()
    names = trained(mllm)
    lora = {name for name in names if "lora_" in name}
    assert len(lora) == 3 * 7 * 2
    assert all(name.startswith("model.model.language_model.layers.") for name in lora)
    assert not any(".layers.3." in name for name in lora)
    rest = {name.removeprefix("model.model.multi_modal_projector.") for name in names - lora}
    assert rest == {"image_cls", "text_cls"} | {
        f"linear_{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")
    }


def test_a_lower_read_layer_moves_the_updates_down() -> None:
    config = MllmConfig(model="random:llava", read_layer=-3, adapt=LORA)
    mllm = adapt(random_mllm("llava", config=config))
    assert not any(f".layers.{index}." in name for name in trained(mllm) for index in (2, 3))


def test_the_updates_are_reproducible() -> None:
    first, same, other = (adapted(seed=seed).state_dict() for seed in (0, 0, 1))
    names = [name for name in first if "lora_A" in name]
    assert all(torch.equal(first[name], same[name]) for name in names)
    assert not any(torch.equal(first[name], other[name]) for name in names)


def test_fewer_targets_and_a_frozen_projector() -> None:
    mllm = adapted(adapt_config=LORA.model_copy(update={"targets": ("q_proj", "v_proj"), "projector": False}))
    names = trained(mllm) - {"image_cls", "text_cls"}
    assert len(names) == 3 * 2 * 2
    assert all("q_proj" in name or "v_proj" in name for name in names)


def test_full_training_leaves_out_tower_head_and_what_does_not_run(pixels: Tensor) -> None:
    mllm = adapted(adapt_config=AdaptConfig(method="full"))
    names = trained(mllm)
    assert "model.model.language_model.embed_tokens.weight" in names
    assert "model.model.language_model.layers.2.mlp.up_proj.weight" in names
    assert not any(
        "vision_tower" in n or ".layers.3." in n or "lm_head" in n or "model.norm" in n for n in names
    )
    loss(mllm, pixels).backward()
    assert all(p.grad is not None for p in mllm.parameters() if p.requires_grad)


def test_nothing_is_trained_if_frozen(pixels: Tensor) -> None:
    mllm = adapted(adapt_config=AdaptConfig(method="frozen"))
    assert trained(mllm) == set()
    assert not loss(mllm, pixels).requires_grad


def test_what_is_trained_is_in_float32(pixels: Tensor) -> None:
    plain = random_mllm("llava", config=MllmConfig(model="random:llava", adapt=LORA))
    plain.model.bfloat16()
    mllm = adapt(plain)
    assert {p.dtype for p in mllm.parameters() if p.requires_grad} == {torch.float32}
    loss(mllm, pixels).backward()
    assert all(p.grad is not None for p in mllm.parameters() if p.requires_grad)


def test_groups_hold_every_trained_parameter_once() -> None:
    mllm = adapted()
    groups = trainable_groups(mllm)
    assert {name: len(group) for name, group in groups.items()} == {
        "tokens": 2,
        "projector": 4,
        "decoder": 42,
    }


@pytest.mark.parametrize("shape", ["llava", "smolvlm"])
def test_checkpointing_changes_no_gradient(shape: TinyFamily, pixels: Tensor) -> None:
    plain, saving = adapted(shape).train(), adapted(shape).train()
    checkpoint_layers(saving)
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    saving.decoder.layers[0].mlp.register_forward_pre_hook(count)
    for mllm in (plain, saving):
        loss(mllm, pixels).backward()
    assert calls == 4  # images and texts, each once more for the gradient
    for (name, one), (_, other) in zip(plain.named_parameters(), saving.named_parameters(), strict=True):
        if one.requires_grad:
            torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_a_step_moves_what_is_trained_and_nothing_else(pixels: Tensor) -> None:
    mllm = adapted()
    before = {name: parameter.detach().clone() for name, parameter in mllm.named_parameters()}
    optimiser = torch.optim.AdamW([p for p in mllm.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(2):
        optimiser.zero_grad()
        loss(mllm, pixels).backward()
        optimiser.step()
    moved = {name for name, parameter in mllm.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == trained(mllm)


def test_a_target_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match=r"no linear layer 'query' in its decoder; it has down_proj, gate_proj"
    ):
        adapted(adapt_config=LORA.model_copy(update={"targets": ("query",)}))


def test_a_quantised_model_is_not_trained_in_full() -> None:
    config = MllmConfig(model="random:llava", quantise="4bit", adapt=AdaptConfig(method="full"))
    with pytest.raises(ConfigError, match="cannot be trained in full; use lora"):
        adapt(random_mllm("llava", config=config))


def test_adapting_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="adapted already"):
        adapt(adapted())


def test_merged_updates_give_the_same_states():
    mllm = adapted()
    with torch.no_grad():
        for name, parameter in mllm.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    mllm.eval()
    texts = ["The lungs are clear.", "No effusion."]
    before = mllm.encode_texts(texts).cls
    merge(mllm)
    after = mllm.encode_texts(texts).cls
    layer = next(part for part in mllm.decoder.modules() if isinstance(part, LoraLayer))
    assert layer.merged
    assert (after - before).abs().max() < 1e-5


MOVED = AdaptConfig(rank=4, alpha=8)


def moved(settings: AdaptConfig = MOVED) -> Mllm:
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


@pytest.mark.parametrize("settings", [MOVED, AdaptConfig(method="full"), AdaptConfig(method="frozen")])
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
