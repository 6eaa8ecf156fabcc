"""LLaVA-RadZ: a multimodal language model's decoder, read as an encoder of images and of reports.

    image  → vision tower → projector → image tokens <ImgCls>×k ┐ decoder up to      ┌ mean of <Cls> → global
    report →                            text tokens  <TxtCls>×k ┘ its read layer  →  └ mean of rest  → local

The two modalities go through the decoder in separate passes, so that neither can see the other.
Source: LLaVA-RadZ (arXiv 2503.07487), decoding-side feature alignment (DFAT).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zerosight.backbones.mllm.model import Mllm
from zerosight.backbones.mllm.states import States
from zerosight.models.llava_radz.config import RadzConfig
from zerosight.models.llava_radz.heads import ProjectionHead

SMALLEST, LARGEST = 0.01, 1.0


@dataclass(frozen=True, slots=True)
class Embedding:
    """Features of images or of reports in the shared space, L2-normalised.

    Attributes:
        pooled: The paper's global feature: from the special tokens.
        local: From the mean of the modality's own tokens.
    """

    pooled: Float[Tensor, "batch dim"]
    local: Float[Tensor, "batch dim"]


class LlavaRadz(nn.Module):
    """The language model, one projection head per modality, and the temperature.

    Args:
        mllm: The multimodal language model with its special tokens.
        config: Shape of the heads.
    """

    def __init__(self, mllm: Mllm, config: RadzConfig | None = None) -> None:
        super().__init__()
        self.config = config or RadzConfig()
        self.mllm = mllm
        self.image_head = ProjectionHead(mllm.width, self.config.hidden, self.config.dim)
        self.text_head = ProjectionHead(mllm.width, self.config.hidden, self.config.dim)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(self.config.temperature)))

    @property
    def temperature(self) -> Float[Tensor, ""]:
        """The learnt τ of every contrastive loss, kept in 0.01 … 1."""
        return self.log_temperature.exp().clamp(SMALLEST, LARGEST)

    def embed_images(self, seen: Float[Tensor, "batch token vision"]) -> Embedding:
        """Return the features of images from what the frozen vision tower saw (``mllm.see``)."""
        return _embedding(self.image_head, self.mllm.encode_images(seen))

    def embed_texts(self, texts: Sequence[str]) -> Embedding:
        """Return the features of reports or descriptions, none of them empty."""
        return _embedding(self.text_head, self.mllm.encode_texts(texts))

    def look(
        self, seen: Float[Tensor, "batch token vision"]
    ) -> tuple[Embedding, Float[Tensor, "batch token dim"]]:
        """Return the features of images, and every image token in the same space for maps, in one pass."""
        states = self.mllm.encode_images(seen)
        return _embedding(self.image_head, states), self.image_head(states.tokens)


def pool(states: States) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "batch width"]]:
    """Return the global state (mean of the special tokens) and the local one (mean of the modality's)."""
    mask = states.mask[..., None].to(states.tokens.dtype)
    local = (states.tokens * mask).sum(1) / mask.sum(1).clamp(min=1)
    return states.cls.mean(1), local


def _embedding(head: ProjectionHead, states: States) -> Embedding:
    pooled, local = pool(states)
    return Embedding(head(pooled), head(local))
