"""Language models of true shapes and sizes with random weights: what a machine needs for the real ones.

Sizes are those of the models' own ``config.json``. Memory and time do not depend on what the weights say; a
vocabulary of words does not matter either, so all are written with our small tokenizer beside embeddings of
the true size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedConfig,
    PreTrainedModel,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from zerosight.backbones.mllm.tokenizer import BOS, EOS, IMAGE, PAD, build_tokenizer

HALF = [0.5, 0.5, 0.5]
TIED = {"tie_word_embeddings": True}


@dataclass(frozen=True, slots=True)
class Shape:
    """A language model that sees.

    Attributes:
        kind: ``llava`` or ``smolvlm``.
        text: Of its decoder, by transformers' names.
        vision: Of its vision tower, likewise.
        more: Of the whole, likewise.
        layers: Decoder layers of the real model, of which ``text`` may have fewer.
    """

    kind: str
    text: Mapping[str, Any]
    vision: Mapping[str, Any]
    more: Mapping[str, Any]
    layers: int


def _sizes(model_type: str, width: int, inner: int, layers: int, heads: int) -> dict[str, Any]:
    sizes = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers}
    return {"model_type": model_type, **sizes, "num_attention_heads": heads}


def _decoder(model_type: str, width: int, inner: int, layers: int, heads: tuple[int, int], words: int) -> Any:
    more = {"num_key_value_heads": heads[1], "vocab_size": words, "max_position_embeddings": 4096}
    return _sizes(model_type, width, inner, layers, heads[0]) | more


def _tower(model_type: str, width: int, inner: int, layers: int, heads: int, size: tuple[int, int]) -> Any:
    return _sizes(model_type, width, inner, layers, heads) | {"image_size": size[0], "patch_size": size[1]}


_SMOL_TOWER = _tower("smolvlm_vision", 768, 3072, 12, 12, (512, 16))
SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "SmolVLM-256M": Shape(
            "smolvlm", _decoder("llama", 576, 1536, 30, (9, 3), 49_280), _SMOL_TOWER, {"scale_factor": 4}, 30
        ),
        "SmolVLM-500M": Shape(
            "smolvlm", _decoder("llama", 960, 2560, 32, (15, 5), 49_280), _SMOL_TOWER, {"scale_factor": 4}, 32
        ),
        "llava-interleave-qwen-0.5b": Shape(
            "llava",
            _decoder("qwen2", 1024, 2816, 24, (16, 16), 152_000) | TIED,
            _tower("siglip_vision_model", 1152, 4304, 26, 16, (384, 14)),
            {"vision_feature_select_strategy": "full", "vision_feature_layer": -1} | TIED,
            24,
        ),
        "llava-1.5-7b": Shape(
            "llava",
            _decoder("llama", 4096, 11_008, 2, (32, 32), 32_064),
            _tower("clip_vision_model", 1024, 4096, 24, 16, (336, 14)) | {"projection_dim": 768},
            {},
            32,
        ),
    }
)


def write_model(shape: Shape, folder: Path) -> int:
    """Write a model as the hub holds it, in bfloat16, and return how many numbers it has."""
    tokenizer = build_tokenizer()
    ids: dict[str, int] = tokenizer.get_vocab()
    special = {"bos_token_id": ids[BOS], "eos_token_id": ids[EOS], "pad_token_id": ids[PAD]}
    parts = {"text_config": {**shape.text, **special}, "vision_config": dict(shape.vision), **shape.more}
    config: PreTrainedConfig
    kind: type[PreTrainedModel]
    if shape.kind == "llava":
        config, kind = LlavaConfig(**parts, image_token_index=ids[IMAGE]), LlavaForConditionalGeneration
    else:
        config, kind = SmolVLMConfig(**parts, image_token_id=ids[IMAGE]), SmolVLMForConditionalGeneration
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind._from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    constants = {"image_mean": HALF, "image_std": HALF}
    (folder / "preprocessor_config.json").write_text(json.dumps(constants), encoding="utf-8")
    return sum(parameter.numel() for parameter in model.parameters())
