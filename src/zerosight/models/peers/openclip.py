"""Dual encoders of open_clip, by name, folder or file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.backbones.openclip import OpenClipEncoder
from zerosight.backbones.openclip_load import load_openclip


class OpenClipTowers:
    """An encoder of open_clip, read as its library reads it; attributes as :class:`~.model.Towers`.

    Args:
        encoder: The encoder.
        device: Where to put it.
    """

    def __init__(self, encoder: OpenClipEncoder, device: torch.device | str = "cpu") -> None:
        self.encoder = encoder
        self.device = device
        encoder.to(device)
        self.preprocess = replace(encoder.preprocess, fit="pad")
        self.scale = float(encoder.model.logit_scale.exp())
        self.fingerprint = encoder.fingerprint

    def images(
        self, images: Float[Tensor, "batch 3 size size"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch patch dim"]]:
        """Return the features of images and of their patches behind the last block."""
        found = self.encoder.encode_image(images)
        return found.pooled, found.patches[-1]

    def texts(self, texts: Sequence[str]) -> Float[Tensor, "text dim"]:
        """Return the features of texts."""
        return self.encoder.model.encode_text(self.encoder.tokenizer(list(texts)).to(self.device))


def openclip_towers(name: str, device: torch.device | str) -> OpenClipTowers:
    """Return the encoder that ``NAME``, ``NAME@WEIGHTS``, a folder or a file names.

    Raises:
        ConfigError: There is no such architecture, or its towers are not read.
        WeightsError: The weights are not to be had.
    """
    model, _, weights = name.partition("@")
    encoder = load_openclip(model, weights or None, paper=False)
    return OpenClipTowers(encoder, device)
