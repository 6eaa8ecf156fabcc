"""A dual encoder as a model of findings: prompts for anchors, patches for maps."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from zerosight.backbones.normalise import normalise
from zerosight.choices import MapName
from zerosight.data.chest.names import NO_FINDING, canonical
from zerosight.errors import ConfigError
from zerosight.models.llava_radz.anchors import Anchors, AnchorTexts, anchor_texts
from zerosight.models.llava_radz.descriptions import Description
from zerosight.models.llava_radz.maps import contrast_grids
from zerosight.models.llava_radz.model import Embedding
from zerosight.models.peers.card import PeerCard
from zerosight.models.peers.wordless import Wordless
from zerosight.preprocess import Preprocess

NORMAL, ABNORMAL = "normal chest x-ray", "abnormal chest x-ray"
"""The prompts for "no finding", and for its absence: ours."""


@runtime_checkable
class Towers(Protocol):
    """An image tower that keeps its patches, and a text tower, with one space.

    Attributes:
        preprocess: How the image tower wants its pixels.
        scale: What cosines are multiplied by before a softmax, as it was learnt.
        fingerprint: Changes with the weights and the preprocessing.
    """

    preprocess: Preprocess
    scale: float
    fingerprint: str

    def images(
        self, images: Float[Tensor, "batch 3 size size"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch patch dim"]]:
        """Return the features of images and of their patches, row by row, on a square grid."""

    def texts(self, texts: Sequence[str]) -> Float[Tensor, "text dim"]:
        """Return the features of texts."""


class DualFindings(Wordless):
    """A dual encoder that scores findings; see :class:`~zerosight.models.finding_model.FindingModel`.

    Args:
        towers: The encoder, frozen.
        device: Where it is.
    """

    kind = "a dual encoder"

    def __init__(self, towers: Towers, device: torch.device | str = "cpu") -> None:
        self.towers = towers
        self.device = device

    @property
    def preprocess(self) -> Preprocess:
        """How the model wants its pixels."""
        return self.towers.preprocess

    @property
    def temperature(self) -> Float[Tensor, ""]:
        """One over the learnt scale of cosines."""
        return torch.tensor(1 / self.towers.scale)

    def see(self, pixels: UInt8[Tensor, "batch size size 3"]) -> Float[Tensor, "batch token vision"]:
        """Return the feature of each image and, behind it, those of its patches, each of length 1."""
        pooled, patches = self.towers.images(normalise(pixels.to(self.device), self.preprocess))
        return F.normalize(torch.cat([pooled[:, None], patches], dim=1).float(), dim=-1)

    def embed_images(self, seen: Float[Tensor, "batch token vision"]) -> Embedding:
        """Return the features of images; the local one is the patches' mean."""
        return Embedding(seen[:, 0], F.normalize(seen[:, 1:].mean(1), dim=-1))

    def attention(self, seen: Float[Tensor, "batch token vision"]) -> None:
        """Return None: these towers do not say where they looked."""
        return

    def maps(
        self, way: MapName, seen: Float[Tensor, "1 token vision"], anchors: Anchors
    ) -> Float[Tensor, "classes grid grid"]:
        """Return each patch's probability of a finding's presence against its absence.

        Raises:
            ConfigError: The map is another one.
        """
        if way != "contrast":
            raise ConfigError(
                f"map: '{way}' needs a decoder; of a dual encoder there is 'contrast', by its patches"
            )
        there, none = (one.to(seen.device) for one in (anchors.presence, anchors.absence))
        return contrast_grids(seen[0, 1:], there, none, float(self.temperature))

    def texts(self, names: Sequence[str], known: Mapping[str, Description], given: bool) -> AnchorTexts:
        """Return two prompts per finding, or, if the user gave descriptions, these."""
        return anchor_texts(names, known) if given else prompts(names)

    def embed_texts(self, texts: Sequence[str]) -> Embedding:
        """Return the features of texts."""
        found = F.normalize(self.towers.texts(texts).float(), dim=-1)
        return Embedding(found, found)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPeer:
    """A dual encoder with its card; attributes as :class:`~zerosight.models.finding_model.LoadedFindings`."""

    model: DualFindings
    card: PeerCard
    key: str
    familiarity: None = None


def loaded_peer(name: str, towers: Towers, device: torch.device | str = "cpu") -> LoadedPeer:
    """Return a dual encoder ready to score findings.

    Args:
        name: What to call it.
        towers: The encoder, on the device.
        device: Where it is.
    """
    key = hashlib.sha256(f"{towers.fingerprint} {towers.preprocess.key}".encode()).hexdigest()[:32]
    card = PeerCard(name=name, fingerprint=key)
    return LoadedPeer(DualFindings(towers, device), card, key)


def prompts(names: Sequence[str]) -> AnchorTexts:
    """Return the prompts of findings: the name, and the name with "no" before it.

    >>> found = prompts(["Effusion", "no finding"])
    >>> found.presence, found.absence
    ((('pleural effusion',), ('normal chest x-ray',)), (('no pleural effusion',), ('abnormal chest x-ray',)))
    """
    plain = tuple(map(canonical, names))
    pairs = [(NORMAL, ABNORMAL) if name == NO_FINDING else (name, f"no {name}") for name in plain]
    return AnchorTexts(
        plain, tuple((there,) for there, _ in pairs), tuple((none,) for _, none in pairs), (NORMAL,)
    )


def square(patches: Float[Tensor, "batch patch dim"]) -> Float[Tensor, "batch patch dim"]:
    """Return the patches if they form a square grid.

    Raises:
        ConfigError: They do not.
    """
    count = patches.shape[1]
    if math.isqrt(count) ** 2 != count:
        raise ConfigError(f"the model's {count} patches form no square grid; choose one with square input")
    return patches
