"""Seeded random miniatures of real vision-language models, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from transformers import (
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedModel,
    SiglipVisionConfig,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from zerosight.backbones.fingerprint import fingerprint
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.model import Mllm, Provenance
from zerosight.backbones.mllm.tokenizer import BOS, EOS, IMAGE, PAD, build_tokenizer
from zerosight.preprocess import Preprocess

TinyFamily = Literal["llava", "llava-qwen", "smolvlm", "gemma3", "internvl"]
SIZE = 32
HALF = (0.5, 0.5, 0.5)


def random_mllm(family: TinyFamily = "llava", seed: int = 0, config: MllmConfig | None = None) -> Mllm:
    """Return a miniature of about 100,000 random parameters; what it says means nothing.

    Args:
        family: ``llava``: CLIP and LLaMA; ``llava-qwen``: SigLIP and Qwen2, without [BOS]; ``smolvlm``:
            SigLIP, pixel shuffle and LLaMA; ``gemma3``: SigLIP, average pooling and Gemma 3; ``internvl``:
            InternViT, pixel shuffle and Qwen2. All read squares of 32 pixels as 4 by 4 tokens and have 4
            decoder layers.
        seed: Same seed, same weights.
        config: How to read it; None takes the defaults.
    """
    config = config or MllmConfig(model=f"random:{family}", seed=seed, max_text_tokens=64)
    tokenizer = build_tokenizer()
    if family == "llava-qwen":
        tokenizer.bos_token = None
    ids: dict[str, int] = tokenizer.get_vocab()
    special = {"bos_token_id": ids[BOS], "eos_token_id": ids[EOS], "pad_token_id": ids[PAD]}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BUILDERS[family](_text({"vocab_size": len(tokenizer), **special}), ids[IMAGE])
    preprocess = Preprocess(SIZE, HALF, HALF, "pad")
    provenance = Provenance(f"random:{family}", fingerprint(model, family), "none (random weights)")
    return Mllm(model.eval(), tokenizer, preprocess, config, provenance)


def _text(words: Mapping[str, Any]) -> dict[str, Any]:
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4}
    limits = {"num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.1}
    return {**words, **sizes, **limits}


def _vision(patch: int) -> dict[str, Any]:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    return {**sizes, "image_size": SIZE, "patch_size": patch, "initializer_range": 0.1}


def _llava(text: dict[str, Any], image: int) -> PreTrainedModel:
    vision = CLIPVisionConfig(**_vision(8), projection_dim=32)
    config = LlavaConfig(
        vision_config=vision.to_dict(), text_config={"model_type": "llama", **text}, image_token_index=image
    )
    return LlavaForConditionalGeneration(config)


def _llava_qwen(text: dict[str, Any], image: int) -> PreTrainedModel:
    config = LlavaConfig(
        vision_config=SiglipVisionConfig(**_vision(8)).to_dict(),
        text_config={"model_type": "qwen2", **text, "bos_token_id": None},
        image_token_index=image,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    )
    return LlavaForConditionalGeneration(config)


def _smolvlm(text: dict[str, Any], image: int) -> PreTrainedModel:
    config = SmolVLMConfig(
        vision_config=_vision(4),
        text_config={"model_type": "llama", **text},
        image_token_id=image,
        scale_factor=2,
    )
    return SmolVLMForConditionalGeneration(config)


def _gemma3(text: dict[str, Any], image: int) -> PreTrainedModel:
    config = Gemma3Config(
        vision_config=SiglipVisionConfig(**_vision(4)).to_dict(),
        text_config={**text, "head_dim": 12, "sliding_window": 64},
        image_token_index=image,
        mm_tokens_per_image=16,
    )
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.1)
    return model


def _internvl(text: dict[str, Any], image: int) -> PreTrainedModel:
    config = InternVLConfig(
        vision_config={**_vision(4), "image_size": [SIZE, SIZE], "patch_size": [4, 4]},
        text_config={"model_type": "qwen2", **text},
        image_token_id=image,
        image_seq_length=16,
        tie_word_embeddings=False,
    )
    return InternVLForConditionalGeneration(config)


BUILDERS: Mapping[TinyFamily, Callable[[dict[str, Any], int], PreTrainedModel]] = MappingProxyType(
    {
        "llava": _llava,
        "llava-qwen": _llava_qwen,
        "smolvlm": _smolvlm,
        "gemma3": _gemma3,
        "internvl": _internvl,
    }
)
