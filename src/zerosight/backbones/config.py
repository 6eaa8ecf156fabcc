"""Which frozen towers to use."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from zerosight.config import Config
from zerosight.errors import ConfigError, did_you_mean, one_line
from zerosight.plugins import BACKBONES, plug_in_names

BUILT_IN = ("lite", "openclip", "timm", "tiny")
TIMM = "timm:"
"""Before the name of an image tower of timm."""


class BackboneConfig(Config):
    """Which frozen towers to use."""

    kind: str = Field("lite", description="family of backbones: lite, openclip, timm, tiny, or a plug-in's")
    model: str | None = Field(
        None,
        description="openclip: architecture, hf-hub:OWNER/NAME, folder, or OpenAI-format state dict; timm: "
        "a network's name, hf-hub:OWNER/NAME or local-dir:FOLDER",
    )
    weights: str | None = Field(
        None, description="openclip: a tag such as 'openai', a file, or random:SEED; timm: likewise, no tag"
    )
    image_size: int | None = Field(None, ge=8, le=2048, description="input size in pixels")
    blocks: tuple[int, ...] | None = Field(None, description="tapped blocks, counted from 1")
    paper: bool = Field(True, description="openclip: as published (see TappedViT)")
    seed: int = Field(0, description="tiny: seed of the random weights")

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        known = (*BUILT_IN, *plug_in_names(BACKBONES))
        if kind not in known:
            raise ValueError(f"'{kind}' is not known{did_you_mean(kind, known)}; known: {', '.join(known)}")
        return kind


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
        text: ``lite``, ``tiny``, ``paper`` (ViT-L/14@336px at 518 px), a plug-in's kind, or an open_clip
            model with optional weights after ``@``: ``ViT-B-16@openai``, ``hf-hub:OWNER/NAME``, a folder, a
            file. ``timm:NAME``, as :func:`parse_tower` reads it, is an image tower alone.
        image_size: Input size in pixels; None takes the backbone's own.

    >>> parse_backbone("ViT-B-16@openai").weights
    'openai'
    """
    size = {} if image_size is None else {"image_size": image_size}
    if is_tower(text):
        return parse_tower(text, image_size)
    if text == "paper":
        return PAPER_BACKBONE.model_copy(update=size)
    if text in ("lite", "tiny", *plug_in_names(BACKBONES)):
        return BackboneConfig.parse({"kind": text} | size, "backbone")
    model, _, weights = text.partition("@")
    values = {"kind": "openclip", "model": model, "weights": weights or None}
    return BackboneConfig.parse(values | size, "backbone")


def is_tower(name: object) -> bool:
    """Return whether a name is that of an image tower alone, which knows no words."""
    return str(name).startswith(TIMM)


def parse_tower(name: str, image_size: int | None = None) -> BackboneConfig:
    """Return the configuration of an image tower alone.

    Args:
        name: ``timm:NAME[@WEIGHTS][#SIZE]``: a network of timm, ``hf-hub:OWNER/NAME[@REVISION]`` or a folder;
            weights, a file or ``random:SEED``, where they are not timm's own; input size in pixels.
        image_size: Input size in pixels, where the name does not say it.

    Raises:
        ConfigError: It is no such name.

    >>> parse_tower("timm:vit_tiny_patch16_224@mine.safetensors#160").image_size
    160
    """
    text, hash_mark, size = name.removeprefix(TIMM).partition("#")
    if hash_mark and not size.isdecimal():
        raise ConfigError(f"backbone: after # comes the input size in pixels, got '{one_line(size, 40)}'")
    on_hub = text.startswith(("hf-hub:", "hf_hub:"))
    model, _, weights = (text, "", "") if on_hub else text.partition("@")
    if not model:
        raise ConfigError("backbone: timm: should be followed by a network's name; `timm:NAME[@FILE][#SIZE]`")
    if Path(model).expanduser().is_dir():
        model = f"local-dir:{Path(model).expanduser().resolve()}"
    if weights and not weights.startswith("random:"):
        weights = str(Path(weights).expanduser().resolve())  # a card is read from any folder
    values = {"kind": "timm", "model": model, "weights": weights or None}
    pixels = int(size) if size else image_size
    return BackboneConfig.parse(values | ({} if pixels is None else {"image_size": pixels}), "backbone")
