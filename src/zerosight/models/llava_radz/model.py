"""LLaVA-RadZ: a multimodal language model's decoder, read as an encoder of images and of reports.

    image  → vision tower → projector → image tokens <ImgCls>×k ┐ decoder up to      ┌ <Cls>×k pooled → global
    report →                            text tokens  <TxtCls>×k ┘ its read layer  →  └ mean of rest   → local

The k states of the special tokens are pooled by their mean, our default, or concatenated, as the paper's
equation says: then the head has a first layer of its own for them, of width k times that of a token's.

The two modalities go through the decoder in separate passes, so that neither can see the other.
Source: LLaVA-RadZ (arXiv 2503.07487), decoding-side feature alignment (DFAT).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from zerosight.backbones.mllm.model import HiddenStates, Mllm
from zerosight.choices import MapName
from zerosight.models.llava_radz.anchors import Anchors, AnchorTexts, anchor_texts
from zerosight.models.llava_radz.config import RadzConfig
from zerosight.models.llava_radz.descriptions import Description
from zerosight.models.llava_radz.vqa import yes_log_odds
from zerosight.preprocess import Preprocess

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


class ProjectionHead(nn.Module):
    """From the decoder's width to the space that images, reports and anchors share.

    Two layers with a GELU between them, and a length of 1 behind them; one per modality, for its global and
    its local feature. Our default, not the paper's.

    Args:
        width: Width of the decoder's states.
        hidden: Width between the layers.
        dim: Width of the shared space.
        joined: Special tokens whose states are concatenated; 0 where their mean is taken.
    """

    def __init__(self, width: int, hidden: int, dim: int, joined: int = 0) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, dim)
        self.joined = nn.Linear(joined * width, hidden) if joined else None

    def forward(self, states: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes dim"]:
        """Return projected, L2-normalised features in fp32."""
        return self._project(self.first, states)

    def pooled(self, cls: Float[Tensor, "batch k width"]) -> Float[Tensor, "batch dim"]:
        """Return the global feature from the states of the special tokens."""
        if self.joined is None:
            return self(cls.mean(1))
        return self._project(self.joined, cls.flatten(1))

    def _project(self, first: nn.Linear, states: Float[Tensor, "*axes some"]) -> Float[Tensor, "*axes dim"]:
        inner = F.gelu(first(states.to(first.weight.dtype)))
        return F.normalize(self.second(inner).float(), dim=-1)


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
        joined = mllm.config.cls_tokens if self.config.pool == "concat" else 0
        shape = (mllm.width, self.config.hidden, self.config.dim, joined)
        self.image_head, self.text_head = ProjectionHead(*shape), ProjectionHead(*shape)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(self.config.temperature)))

    @property
    def temperature(self) -> Float[Tensor, ""]:
        """The learnt τ of every contrastive loss, kept in 0.01 … 1."""
        return self.log_temperature.exp().clamp(SMALLEST, LARGEST)

    def embed_images(self, seen: Float[Tensor, "batch token vision"]) -> Embedding:
        """Return the features of images from what the frozen vision tower saw (``mllm.see``)."""
        return self.embed_states(self.mllm.encode_images(seen))

    def embed_states(self, states: HiddenStates) -> Embedding:
        """Return the features of images from their states (``mllm.encode_images``)."""
        return _embedding(self.image_head, states)

    def embed_texts(self, texts: Sequence[str]) -> Embedding:
        """Return the features of reports or descriptions, none of them empty."""
        return _embedding(self.text_head, self.mllm.encode_texts(texts))

    @property
    def preprocess(self) -> Preprocess:
        """How the model wants its pixels."""
        return self.mllm.preprocess

    def see(self, pixels: UInt8[Tensor, "batch size size 3"]) -> Float[Tensor, "batch token vision"]:
        """Return what the frozen vision tower sees; all else is made of it."""
        return self.mllm.see(pixels)

    def attention(self, seen: Float[Tensor, "batch token vision"]) -> Float[Tensor, "batch grid grid"]:
        """Return the attention of the special tokens to the image."""
        return self.mllm.attention(seen)

    def texts(self, names: Sequence[str], known: Mapping[str, Description], given: bool) -> AnchorTexts:
        """Return the descriptions that findings are told by, whoever gave them."""
        return anchor_texts(names, known)

    def maps(
        self, way: MapName, seen: Float[Tensor, "1 token vision"], anchors: Anchors
    ) -> Float[Tensor, "classes grid grid"]:
        """Return where one image shows findings; see :mod:`.evidence`."""
        from zerosight.models.llava_radz.evidence import evidence_grids  # which knows this class

        return evidence_grids(way, self, seen, anchors)

    def answers(
        self, pixels: UInt8[Tensor, "batch size size 3"], findings: Sequence[str]
    ) -> Float[Tensor, "batch classes"]:
        """Return the log-odds of yes when asked in words."""
        return yes_log_odds(self.mllm, pixels, findings)

    def write(self, prompt: str, seed: int, tokens: int) -> str:
        """Return what the language model goes on with."""
        return self.mllm.generate(prompt, seed, tokens)

    def look(
        self, seen: Float[Tensor, "batch n vision"]
    ) -> tuple[Embedding, Float[Tensor, "batch token dim"]]:
        """Return the features of images, and every image token in the same space for maps, in one pass."""
        states = self.mllm.encode_images(seen)
        return self.embed_states(states), self.image_head(states.tokens)


def local_state(states: HiddenStates) -> Float[Tensor, "batch width"]:
    """Return the mean state of the modality's own tokens."""
    mask = states.mask[..., None].to(states.tokens.dtype)
    return (states.tokens * mask).sum(1) / mask.sum(1).clamp(min=1)


def _embedding(head: ProjectionHead, states: HiddenStates) -> Embedding:
    return Embedding(head.pooled(states.cls), head(local_state(states)))
