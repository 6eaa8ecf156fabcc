"""Which multimodal large language model to use, how to read it and what of it to train."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from zerosight.config import Config

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class AdaptConfig(Config):
    """What of the model is trained. Rank, alpha and dropout are LLaVA-1.5's practice, not the paper's."""

    method: Literal["lora", "full", "frozen"] = Field(
        "lora",
        description="lora [paper]: low-rank updates; full: every weight; frozen: none. "
        "The vision tower is frozen in all three, and so is whatever lies above the read layer",
    )
    rank: int = Field(128, ge=1, le=4096, description="rank of the updates (our default)")
    alpha: int = Field(256, ge=1, description="updates are scaled by alpha / rank (our default)")
    dropout: float = Field(0.05, ge=0, lt=1, description="dropout before an update (our default)")
    targets: tuple[str, ...] = Field(
        PROJECTIONS, min_length=1, description="linear layers of a decoder block that get an update"
    )
    projector: bool = Field(True, description="train the projector between vision tower and decoder")


class MllmConfig(Config):
    """Which multimodal large language model to use, and how to read it."""

    model: str = Field(description="a repository of the Hugging Face hub, a folder, or random:FAMILY")
    revision: str | None = Field(None, description="commit, tag or branch on the hub")
    seed: int = Field(0, description="seed of the special tokens, and of random:FAMILY")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="precision of the weights; auto: as stored"
    )
    device_map: str | None = Field(None, description="auto, or a device such as cuda:0; None: cpu")
    quantise: Literal["none", "8bit", "4bit"] = Field(
        "none", description="weights in fewer bits; needs the extra 'quantised'"
    )
    cls_tokens: int = Field(
        4,
        ge=0,
        le=64,
        description="special tokens after each modality; the paper: 4 or 5 work best. With 0 the "
        "modality's own last token is read in their place",
    )
    max_text_tokens: int = Field(
        256, ge=1, le=65_536, description="texts are cut to this many tokens (our default)"
    )
    read_layer: int = Field(
        -2,
        le=-1,
        description="hidden state that is read, counted from the end, before any final norm; the paper: the "
        "penultimate",
    )
    image_attention: Literal["causal", "full"] = Field(
        "causal",
        description="causal [paper]: a token of the image sees those before it; full: all of the image, as "
        "Gemma 3's does",
    )
    adapt: AdaptConfig = Field(default_factory=AdaptConfig, description="what is trained")
