"""Towers that are not CLIP's: each against open_clip's own forward pass, and through training to a graph."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP
from PIL import Image
from safetensors.torch import save_file
from timm.models import register_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional as F

import zerosight
from zerosight.backbones import openclip_load
from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.openclip import OpenClipEncoder
from zerosight.backbones.openclip_load import load_openclip, simple_tokenizer
from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.errors import ConfigError, WeightsError
from zerosight.export import ExportConfig, export_model
from zerosight.models.vip2clip.config import Vip2ClipConfig
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.preprocess import Preprocess
from zerosight.train.vip2clip.config import TrainConfig
from zerosight.train.vip2clip.run import train

HALF = (0.5, 0.5, 0.5)
TEXT = {"context_length": 12, "vocab_size": 64, "width": 32, "heads": 2, "layers": 2}
SIGLIP_TEXT = TEXT | {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
VISION = {"layers": 4, "width": 64, "head_width": 32, "patch_size": 8, "image_size": 32}
MAP = {"timm_model_name": "test_vit3", "image_size": 160, "timm_pool": "map", "timm_proj": "none"}


def tokenizer(start: tuple[int, ...], end: tuple[int, ...], padding: int) -> Callable[[list[str]], Tensor]:
    """Return a tokenizer that gives every word one id, between a start and an end, up to 12."""

    def call(texts: list[str]) -> Tensor:
        rows = torch.full((len(texts), 12), padding)
        for row, text in zip(rows, texts, strict=True):
            ids = [*start, *(3 + crc32(word.encode()) % 50 for word in text.split()), *end]
            row[: len(ids)] = torch.tensor(ids, dtype=torch.long)
        return rows

    return call


SIGLIP, SIGLIP2 = tokenizer((), (), 1), tokenizer((), (1,), 0)
BERT, ROBERTA, T5 = tokenizer((2,), (), 0), tokenizer((0,), (2,), 1), tokenizer((), (1,), 0)


def hf_text(folder: Path, kind: str) -> dict[str, object]:
    """Return the configuration of a tiny text tower of Hugging Face, described in a folder."""
    if kind == "roberta":
        from transformers import RobertaConfig

        config = RobertaConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, vocab_size=64
        )
    else:
        from transformers import MT5Config

        config = MT5Config(d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2, vocab_size=64)
    config.save_pretrained(folder)
    return {"hf_model_name": str(folder), "hf_model_pretrained": False, "hf_pooler_type": "mean_pooler"}


TOWERS = {
    "siglip": (MAP | {"image_size": 64}, SIGLIP_TEXT, SIGLIP),
    "siglip2": (MAP | {"image_size": 64}, SIGLIP_TEXT | {"act_kwargs": {"approximate": "tanh"}}, SIGLIP2),
    "eva": (
        {
            "timm_model_name": "eva02_tiny_patch14_224",
            "image_size": 56,
            "timm_pool": "token",
            "timm_proj": None,
        },
        {"width": 32, "heads": 2, "layers": 2},
        simple_tokenizer,
    ),
    "mean, registers": (
        {"timm_model_name": "test_vit2", "image_size": 64, "timm_pool": "avg", "timm_proj": "linear"},
        TEXT | {"pool_type": "first", "no_causal_mask": True},
        BERT,
    ),
    "clipa": (
        VISION | {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True},
        TEXT | {"pool_type": "last", "no_causal_mask": True},
        BERT,
    ),
    "roberta": (VISION, "roberta", ROBERTA),
    "mt5": (VISION | {"pool_type": "avg"}, "mt5", T5),
}


@pytest.fixture(scope="module", params=TOWERS)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenClipEncoder:
    """Return a random encoder of each kind."""
    vision, text, words = TOWERS[request.param]
    if isinstance(text, str):
        text = hf_text(tmp_path_factory.mktemp("hf"), text)
    torch.manual_seed(0)
    kind = CLIP if request.param == "clipa" else CustomTextCLIP
    model = kind(96, CLIPVisionCfg(**vision), CLIPTextCfg(**text))
    return OpenClipEncoder(model, words, Preprocess(vision["image_size"], HALF, HALF), paper=False)


def images(encoder: OpenClipEncoder, count: int = 2) -> Tensor:
    size = encoder.preprocess.size
    encoder.model.visual.set_input_size(size) if hasattr(encoder.model.visual, "trunk") else None
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_features_are_open_clips_own(encoder):
    pictures = images(encoder)
    features = encoder.encode_image(pictures)
    expected = F.normalize(encoder.model.encode_image(pictures), dim=-1)
    torch.testing.assert_close(features.pooled, expected)
    assert features.patches.shape == (encoder.levels, 2, encoder.grid**2, 96)
    torch.testing.assert_close(features.patches.norm(dim=-1), torch.ones(features.patches.shape[:3]))
    tokens = encoder.prompt_tokens()
    for words in ("good", "a damaged screw"):
        prompt = torch.cat([tokens.start, encoder.embed_words(words), tokens.end])[None]
        assert prompt.shape[1] == len(tokens.start) + len(words.split()) + len(tokens.end)
        expected = encoder.model.encode_text(encoder.tokenizer([words]))
        torch.testing.assert_close(encoder.encode_prompts(prompt, prompt.shape[1] - 1), expected)
        filled = torch.cat(
            [prompt, tokens.padding.expand(1, encoder.context_length - prompt.shape[1], -1)], 1
        )
        torch.testing.assert_close(encoder.encode_prompts(filled, prompt.shape[1] - 1), expected)


def test_prompts_learn_and_towers_do_not(encoder):
    model = Vip2Clip(encoder, Vip2ClipConfig(n_context=2, n_conditioned=2, heads=4, top_k=4))
    features = encoder.encode_image(images(encoder))
    alignment = model(features)
    torch.testing.assert_close(
        alignment.scores, model.plain(encoder.plain().encode_image(images(encoder))).scores
    )
    alignment.scores.sum().backward()
    learnt = (model.ica.context_normal, model.ica.context_abnormal, model.ica.conditioned, model.ica.bias)
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in learnt)
    assert all(p.grad is None and not p.requires_grad for p in encoder.towers.parameters())


def test_a_patch_is_what_the_head_makes_of_an_image_that_has_no_other():
    torch.manual_seed(0)
    model = CustomTextCLIP(96, CLIPVisionCfg(**MAP), CLIPTextCfg(**SIGLIP_TEXT))
    encoder = OpenClipEncoder(model, SIGLIP, Preprocess(16, HALF, HALF))
    assert encoder.tower.trunk.num_prefix_tokens == 1
    features = encoder.encode_image(torch.randn(3, 3, 16, 16))
    last, [tokens] = encoder.tower.trunk.forward_intermediates(
        torch.randn(1, 3, 16, 16), [8], norm=True, output_fmt="NLC"
    )
    only = last.clone()
    only[:, 0] = tokens[:, 0]  # the register too, so that attention has nothing else to weigh
    expected = encoder.model.visual.head(encoder.tower.trunk.forward_head(only))
    torch.testing.assert_close(encoder.tower._each_alone(tokens)[:, 0], expected)
    assert features.patches.shape == (4, 3, 1, 96)


@register_model
def siglip_of_two_blocks(pretrained: bool = False, **settings: object) -> VisionTransformer:
    """Return SigLIP's image tower in little, as timm would."""
    pool = {name: settings[name] for name in ("num_classes", "global_pool")}
    return VisionTransformer(32, 16, embed_dim=96, depth=2, num_heads=3, class_token=False, **pool)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SigLIP in a folder of open_clip's format, with a tokenizer of Hugging Face."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    root = tmp_path_factory.mktemp("siglip")
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "</s>": 1, "a": 2, "good": 3, "damaged": 4}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="</s>").save_pretrained(root)
    vision = MAP | {"timm_model_name": "siglip_of_two_blocks", "image_size": 32}
    text = SIGLIP_TEXT | {"layers": 1, "hf_tokenizer_name": "any"}
    torch.manual_seed(0)
    model = CustomTextCLIP(96, CLIPVisionCfg(**vision), CLIPTextCfg(**text))
    save_file(model.state_dict(), root / "open_clip_model.safetensors")
    config = {"embed_dim": 96, "custom_text": True, "vision_cfg": vision, "text_cfg": text}
    values = {"model_cfg": config, "preprocess_cfg": {"mean": HALF, "std": HALF}}
    (root / "open_clip_config.json").write_text(json.dumps(values))
    return root


@pytest.mark.slow
def test_siglip_trains_predicts_and_becomes_a_graph(folder, tmp_path):
    records = []
    for i in range(4):
        pixels, mask = np.full((32, 32, 3), 90, np.uint8), np.zeros((32, 32), np.uint8)
        if i % 2:
            pixels[8:24, 8:24], mask[8:24, 8:24] = (240, 200, 10), 255
            Image.fromarray(mask).save(tmp_path / f"{i}_mask.png")
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        records.append(Record(f"{i}.png", f"{i}_mask.png" if i % 2 else None, i % 2, split="train"))
    write_manifest(tmp_path / "m.jsonl", ManifestHeader("toy", "."), records)
    out = tmp_path / "run"
    train(
        TrainConfig(
            data=(tmp_path / "m.jsonl",),
            out=out,
            backbone=BackboneConfig(kind="openclip", model=str(folder), image_size=64),
            model=Vip2ClipConfig(n_context=2, n_conditioned=2, blur_sigma=0, top_k=4),
            epochs=2,
        )
    )
    pictures = [tmp_path / "0.png", tmp_path / "1.png"]
    expected = zerosight.load(out).predict(pictures)
    exported = export_model(ExportConfig(model=str(out), out=tmp_path / "m.onnx"))
    assert exported.size == 64
    found = zerosight.load(tmp_path / "m.onnx").predict(pictures)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.score == pytest.approx(theirs.score, abs=1e-5)
        np.testing.assert_allclose(ours.anomaly_map, theirs.anomaly_map, atol=1e-5)


def test_a_folder_without_its_tokenizer_says_so(folder, tmp_path):
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (tmp_path / name).symlink_to(folder / name)
    with pytest.raises(WeightsError, match="lacks its tokenizer's files; put them there") as caught:
        load_openclip(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViTamin-S", r"keeps its patches \(its tower: VisionTransformer with HybridEmbed\)"),
        (
            "roberta-ViT-B-32",
            "text tower of roberta-ViT-B-32, roberta-base of the Hugging Face hub, could not",
        ),
    ],
)
def test_what_is_not_read_or_not_to_be_had_is_said_in_one_line(name, message):
    with pytest.raises((ConfigError, WeightsError), match=message) as caught:
        load_openclip(name, "random:0")
    assert "\n" not in str(caught.value)


def test_a_tokenizer_out_of_reach_and_a_model_of_another_kind_are_told(monkeypatch):
    class CoCa(torch.nn.Module):
        """What open_clip makes of coca_ViT-B-32."""

    with pytest.raises(WeightsError, match="save timm/ViT-B-16-SigLIP2 of the Hugging Face hub beside"):
        openclip_load._tokenizer("ViT-B-16-SigLIP2")
    monkeypatch.setattr(openclip_load.open_clip, "create_model", lambda *_, **__: CoCa())
    with pytest.raises(ConfigError, match="'coca_ViT-B-32' is a CoCa, which is not read"):
        load_openclip("coca_ViT-B-32", "random:0")


def test_words_of_unequal_length_are_refused():
    model = CustomTextCLIP(96, CLIPVisionCfg(**VISION), CLIPTextCfg(**SIGLIP_TEXT))
    encoder = OpenClipEncoder(model, SIGLIP, Preprocess(32, HALF, HALF))
    with pytest.raises(ConfigError, match="'good' is 1 and 'badly damaged' 2"):
        Vip2Clip(encoder, Vip2ClipConfig(n_context=2, abnormal_word="badly damaged"))
