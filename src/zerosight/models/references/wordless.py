"""What references stand on where there are no words: an image tower alone.

It has no zero-shot model, so the references are the only source; without normal images nothing can be said.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import Field
from torch import nn

from zerosight.backbones.config import BackboneConfig, parse_tower
from zerosight.backbones.image_tower import ImageTower
from zerosight.backbones.timm import timm_tower
from zerosight.choices import Arithmetic
from zerosight.config import Config
from zerosight.errors import ConfigError
from zerosight.models.references.card import TowerCard, refuse_zero_shot
from zerosight.preprocess import Preprocess
from zerosight.weights import usable_device


class WordlessConfig(Config):
    """Numbers of maps that no words make."""

    blur_sigma: float = Field(4.0, ge=0, description="of the blur, in pixels of the model's input")


class Wordless(nn.Module):
    """An image tower in the place of a zero-shot model: it has no levels of words.

    Args:
        encoder: The tower. It is not a submodule: its weights are not saved.
    """

    def __init__(self, encoder: ImageTower) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = WordlessConfig()

    def read_prefix(self) -> None:
        """Return nothing: there are no prompts."""

    def fast(self) -> Wordless:
        """Return the same on a tower in bf16."""
        return Wordless(self.encoder.fast())

    def place(self, device: torch.device | str) -> Wordless:
        """Move the tower to a device."""
        self.encoder.to(device)
        return self.to(device)


class TowerScorer:
    """An image tower that has not seen normal images yet: it takes some, and scores nothing.

    Args:
        model: The tower.
        name: What a person called it.
        device: ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        ConfigError: There is no such device here.
    """

    def __init__(self, model: Wordless, name: str, device: str = "cpu") -> None:
        self.model = model.place(usable_device(device))
        self.name = name

    @property
    def preprocess(self) -> Preprocess:
        """The tower's constants."""
        return self.model.encoder.preprocess

    def score(self, pixels: UInt8[np.ndarray, "batch size size 3"]) -> NoReturn:
        """Refuse: there is nothing to compare with.

        Raises:
            ConfigError: Always.
        """
        refuse_zero_shot(self.name)


def build_tower(config: BackboneConfig) -> Wordless:
    """Return the image tower of a configuration.

    Raises:
        ConfigError: The configuration does not fit the tower.
        WeightsError: Its weights are not to be had here; the message says what to do.
    """
    return Wordless(timm_tower(config))


def load_scorer(
    name: str | Path, device: str = "cpu", precision: Arithmetic = "exact", compile: bool = False
) -> tuple[TowerScorer, TowerCard]:
    """Return an image tower ready to be given normal images, and a card.

    Args:
        name: As :func:`~zerosight.backbones.config.parse_tower` reads it.
        device: As for :class:`TowerScorer`.
        precision: ``fast`` computes in bf16.
        compile: Not to be had here.

    Raises:
        ConfigError: It is no such name, or a setting does not fit it.
        WeightsError: Its weights are not to be had here; the message says what to do.
    """
    if compile:
        raise ConfigError("compile: image towers of timm are not translated; leave it out")
    config = parse_tower(str(name))
    base = build_tower(config)
    card = TowerCard(
        name=(config.model or "").removeprefix("hf-hub:").rpartition("/")[2],
        backbone=config,
        backbone_fingerprint=base.encoder.fingerprint,
    )
    return TowerScorer(base.fast() if precision == "fast" else base, str(name), device), card
