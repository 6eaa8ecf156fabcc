"""A vision tower of one's own inside LLaVA's shape: registered with transformers, named nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutput

from zerosight.backbones.mllm.adapters import adapt
from zerosight.backbones.mllm.config import AdaptConfig, MllmConfig
from zerosight.backbones.mllm.model import Mllm, Provenance
from zerosight.backbones.mllm.tokenizer import build_tokenizer
from zerosight.preprocess import Preprocess

pytestmark = pytest.mark.slow

HALF = (0.5, 0.5, 0.5)


class ConvConfig(PretrainedConfig):
    model_type = "zerosight_test_conv"

    def __init__(self, hidden_size: int = 12, image_size: int = 24, **rest: Any) -> None:
        self.hidden_size, self.image_size = hidden_size, image_size
        super().__init__(**rest)


class Conv(PreTrainedModel):
    config_class = ConvConfig
    main_input_name = "pixel_values"

    def __init__(self, config: ConvConfig) -> None:
        super().__init__(config)
        self.conv = nn.Conv2d(3, config.hidden_size, 8, 8)
        self.norm = nn.BatchNorm2d(config.hidden_size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        pass

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutput:
        tokens = self.norm(self.conv(pixel_values)).flatten(2).transpose(1, 2)
        return BaseModelOutput(last_hidden_state=tokens, hidden_states=(tokens,))


def build() -> Mllm:
    AutoConfig.register(ConvConfig.model_type, ConvConfig, exist_ok=True)
    AutoModel.register(ConvConfig, Conv, exist_ok=True)
    tokenizer = build_tokenizer()
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    config = LlavaConfig(
        vision_config=ConvConfig(),
        text_config=text,
        image_token_index=3,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    own = MllmConfig(model="own", adapt=AdaptConfig(rank=2))
    return Mllm(model, tokenizer, Preprocess(24, HALF, HALF, "pad"), own, Provenance("own", "0", "none"))


def test_its_tokens_go_through_llava_as_they_are(pixels: Tensor) -> None:
    mllm = build()
    seen = mllm.see(pixels[:, :24, :24])
    assert seen.shape == (3, 9, 12)
    assert mllm.grid == 3
    states = mllm.encode_images(seen)
    assert states.tokens.shape == (3, 9, 16)
    assert mllm.attention(seen).shape == (3, 3, 3)
    assert mllm.yes_no_logits(seen, ["edema?"] * 3).shape == (3, 2)


def test_training_mode_does_not_touch_its_batch_norms(pixels: Tensor) -> None:
    mllm = adapt(build()).train()
    before = {name: value.clone() for name, value in mllm.tower.state_dict().items()}
    expected = mllm.see(pixels[:1, :24, :24])
    assert torch.equal(mllm.see(pixels[:, :24, :24])[:1], expected)
    assert all(torch.equal(value, before[name]) for name, value in mllm.tower.state_dict().items())
