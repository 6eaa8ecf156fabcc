"""References in PyTorch as a scorer: pixels in, calibrated scores and maps out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from zerosight.backbones.normalise import normalise
from zerosight.choices import Arithmetic
from zerosight.errors import ConfigError
from zerosight.models.references.block import Block
from zerosight.models.references.card import ReferencesCard
from zerosight.models.references.folder import LoadedReferences, load_references
from zerosight.models.references.model import Base, References, words_in
from zerosight.models.references.tower import look, whole
from zerosight.models.references.turning import Turn
from zerosight.models.vip2clip.scorer import Judged, judge, run
from zerosight.preprocess import Preprocess
from zerosight.weights import usable_device


class ReferencesToMap(nn.Module):
    """The whole way from pixels to scores and maps: what prediction runs and export writes down.

    Args:
        references: Where they will run.
    """

    def __init__(self, references: References) -> None:
        super().__init__()
        self.model = references
        self.preprocess = references.encoder.preprocess
        self.prefix = references.base.read_prefix()

    def forward(
        self, pixels: UInt8[Tensor, "batch size size 3"]
    ) -> tuple[Float32[Tensor, "batch"], Float32[Tensor, "batch size size"]]:
        """Return the calibrated score and map of every image, both in [0, 1]; 0.5 is the threshold."""
        scores, maps, _ = self.look(pixels)
        return scores, maps

    def look(
        self, pixels: UInt8[Tensor, "batch size size 3"]
    ) -> tuple[Float32[Tensor, "batch"], Float32[Tensor, "batch size size"], Float32[Tensor, "batch dim"]]:
        """Return the same, and the features that familiarity is judged by."""
        features, levels = look(self.model.encoder, normalise(pixels, self.preprocess))
        scores, maps = self.model(features, levels, self.prefix)
        return scores.float(), maps.float(), whole(levels).float()


class ReferenceScorer:
    """Runs references in PyTorch.

    Args:
        loaded: As fitted or loaded; the model is moved to the device.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        precision: ``exact`` is fp32; ``fast`` computes the image tower in bf16.

    Raises:
        ConfigError: There is no such device here.
    """

    def __init__(
        self, loaded: LoadedReferences, device: str = "cpu", precision: Arithmetic = "exact"
    ) -> None:
        references = loaded.fitted.references
        if precision == "fast":
            references = references.fast()
        references.base.place(usable_device(device))
        self.loaded = loaded
        self.model = references.to(device).eval()
        self.network = ReferencesToMap(self.model)
        self.device = device

    @property
    def preprocess(self) -> Preprocess:
        """The backbone's constants."""
        return self.model.encoder.preprocess

    def score(
        self, pixels: UInt8[np.ndarray, "batch size size 3"]
    ) -> tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]:
        """Return the calibrated score and map of every image, both in [0, 1]; 0.5 is the threshold."""
        return run(self.network, pixels, self.device)

    def judge(self, pixels: UInt8[np.ndarray, "batch size size 3"]) -> Judged:
        """Return the same, and per image whether it is like the normal ones."""
        return judge(self.network.look, pixels, self.device, self.loaded.fitted.familiarity)


def see_block(
    base: Base,
    pixels: UInt8[np.ndarray, "image size size 3"],
    names: tuple[str, ...],
    hashes: tuple[str, ...],
    batch_size: int = 8,
    turns: tuple[Turn, ...] = (),
) -> Block:
    """Return normal images as the tower and the zero-shot model see them.

    Args:
        base: The zero-shot model, or an image tower alone, where it runs.
        pixels: Of the images, as the model wants them.
        names: What to call the images.
        hashes: Of the images' pixels.
        batch_size: Images per pass.
        turns: Ways in which copies of the images are turned.
    """
    prefix, device = base.read_prefix(), device_of(base)
    words, levels = [], []
    with torch.no_grad():
        for first in range(0, len(pixels), batch_size):
            some = torch.from_numpy(pixels[first : first + batch_size]).to(device)
            features, seen = look(base.encoder, normalise(some, base.encoder.preprocess))
            words.append(words_in(base, features, seen, prefix).cpu())
            levels.append([level.cpu() for level in seen])
    return Block(
        names,
        hashes,
        torch.cat(words),
        tuple(torch.cat(level) for level in zip(*levels, strict=True)),
        {turn: see_block(base, turn(pixels), names, hashes, batch_size) for turn in turns},
    )


def device_of(base: Base) -> torch.device:
    """Return where a model runs."""
    return next(base.encoder.towers.parameters()).device


def load_scorer(
    name: str | Path, device: str = "cpu", precision: Arithmetic = "exact", compile: bool = False
) -> tuple[ReferenceScorer, ReferencesCard]:
    """Return references ready to score, and their card.

    Args:
        name: A folder.
        device: As for :class:`ReferenceScorer`.
        precision: Likewise.
        compile: Not to be had for references.

    Raises:
        WeightsError: As :func:`zerosight.models.references.folder.load_references`.
        ConfigError: There is no such device here, or ``compile`` is asked for.
    """
    if compile:
        raise ConfigError("compile: references are not translated; leave it out, or export them")
    loaded = load_references(name)
    return ReferenceScorer(loaded, device, precision), loaded.card
