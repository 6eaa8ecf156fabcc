"""Which frozen towers to use."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from zerosight.config import Config


class BackboneConfig(Config):
    """Which frozen towers to use."""

    kind: Literal["lite", "openclip", "tiny"] = Field("lite", description="family of backbones")
    model: str | None = Field(
        None, description="openclip: architecture, hf-hub:OWNER/NAME, folder, or OpenAI-format state dict"
    )
    weights: str | None = Field(None, description="openclip: a tag such as 'openai', a file, or random:SEED")
    image_size: int | None = Field(None, ge=8, le=8192, description="input size in pixels")
    blocks: tuple[int, ...] | None = Field(None, description="tapped blocks, counted from 1")
    paper: bool = Field(True, description="openclip: as published (see TappedViT)")
    seed: int = Field(0, description="tiny: seed of the random weights")


PAPER_BACKBONE = BackboneConfig(
    kind="openclip",
    model="ViT-L-14-336-quickgelu",
    weights="openai",
    image_size=518,
    blocks=(6, 12, 18, 24),
)


def parse_backbone(text: str, image_size: int | None = None) -> BackboneConfig:
    """Return the configuration that a short name stands for.

    Args:
        text: ``lite``, ``tiny``, ``paper`` (ViT-L/14@336px at 518 px), or an open_clip model with optional
            weights after ``@``: ``ViT-B-16@openai``, ``hf-hub:OWNER/NAME``, a folder, a file.
        image_size: Input size in pixels; None takes the backbone's own.

    >>> parse_backbone("ViT-B-16@openai").weights
    'openai'
    """
    size = {} if image_size is None else {"image_size": image_size}
    if text == "paper":
        return PAPER_BACKBONE.model_copy(update=size)
    if text in ("lite", "tiny"):
        return BackboneConfig.parse({"kind": text} | size, "backbone")
    model, _, weights = text.partition("@")
    values = {"kind": "openclip", "model": model, "weights": weights or None}
    return BackboneConfig.parse(values | size, "backbone")
