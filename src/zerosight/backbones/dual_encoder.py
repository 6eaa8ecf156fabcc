"""The seam between frozen vision-language backbones and the models built on them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zerosight.backbones.fingerprint import fingerprint
from zerosight.preprocess import Preprocess


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """What an image tower says about a batch of images, in the joint space, L2-normalised.

    Attributes:
        pooled: One vector per image (``f`` in the paper).
        patches: One vector per patch and tapped level (``F_m^l``), on one square grid for all levels.
    """

    pooled: Float[Tensor, "batch dim"]
    patches: Float[Tensor, "level batch patch dim"]

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> ImageFeatures:
        """Return the features on another device and in another precision."""
        return ImageFeatures(self.pooled.to(device, dtype), self.patches.to(device, dtype))


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Token embeddings, in the text tower's width, from which a prompt with learnable parts is assembled.

    Attributes:
        start: What precedes every prompt ([SOT] of CLIP).
        end: What closes it ([EOT]).
        padding: One row, repeated by towers that read prompts at full length.
    """

    start: Float[Tensor, "start width"]
    end: Float[Tensor, "end width"]
    padding: Float[Tensor, "1 width"]


@dataclass(frozen=True, slots=True)
class KeysValues:
    """What later tokens see of earlier ones in one transformer block."""

    keys: Float[Tensor, "sequence head token channel"]
    values: Float[Tensor, "sequence head token channel"]

    def followed_by(self, other: KeysValues) -> KeysValues:
        """Return these and those of the tokens after them; sequence i follows our i mod n."""
        repeat = other.keys.shape[0] // self.keys.shape[0]
        keys, values = (
            torch.cat([mine.repeat(repeat, 1, 1, 1), theirs], dim=2)
            for mine, theirs in ((self.keys, other.keys), (self.values, other.values))
        )
        return KeysValues(keys, values)


@dataclass(frozen=True, slots=True)
class PromptPrefix:
    """What a causal text tower remembers of the tokens with which prompts begin.

    Attributes:
        length: Number of those tokens.
        blocks: Their keys and values in every block.
    """

    length: int
    blocks: tuple[KeysValues, ...]


@runtime_checkable
class DualEncoder(Protocol):
    """A frozen image tower and text tower with one joint space.

    A backbone that derives from it writes five methods: ``__init__``, which sets the attributes, and the four
    that have no body here. The others are optimisations and housekeeping, right for any backbone as they are.

    Attributes:
        towers: Both towers, frozen and in evaluation mode.
        preprocess: Constants that turn an image into the tower's input.
        dim: Width of the joint space (``D``).
        text_width: Width of the text tower's token embeddings.
        levels: Number of tapped blocks (``L``).
        grid: Patches per side of the grid on which all levels lie.
        context_length: Longest prompt, in tokens, that the text tower reads.
    """

    towers: nn.Module
    preprocess: Preprocess
    dim: int
    text_width: int
    levels: int
    grid: int
    context_length: int

    @abstractmethod
    def encode_image(self, images: Float[Tensor, "batch 3 height width"]) -> ImageFeatures:
        """Return pooled and patch features of preprocessed images."""
        ...

    @abstractmethod
    def prompt_tokens(self) -> PromptTokens:
        """Return the embeddings that frame a prompt."""
        ...

    @abstractmethod
    def embed_words(self, words: str) -> Float[Tensor, "token width"]:
        """Return the token embeddings of some words, without start and end."""
        ...

    @abstractmethod
    def encode_prompts(
        self, prompts: Float[Tensor, "prompt token width"], end: int, prefix: PromptPrefix | None = None
    ) -> Float[Tensor, "prompt dim"]:
        """Return the text features (not normalised) of embedded prompts.

        Args:
            prompts: Token embeddings, positions not yet added. Tokens after ``end`` are padding.
            end: Index of the prompt's closing token, counted with the prefix.
            prefix: Of :meth:`read_prefix`; the i-th prompt goes on after the i-th mod n of its n beginnings.
                A backbone that leaves that method as it is only meets None.
        """
        ...

    @property
    def fingerprint(self) -> str:
        """Changes when the weights or the preprocessing change; keys caches and cards."""
        return fingerprint(self.towers, type(self).__name__, self.preprocess)

    def read_prefix(self, beginnings: Float[Tensor, "beginning token width"]) -> PromptPrefix | None:
        """Return what the text tower remembers of some beginnings of prompts; None: it reads prompts whole.

        Only a causal tower can remember: in another one every token depends on those that follow it.
        """
        return None

    def fast(self) -> DualEncoder:
        """Return an encoder whose image tower computes in bf16; the rest is shared with this one.

        A backbone without such a tower returns itself.
        """
        return self

    def plain(self) -> DualEncoder:
        """Return an encoder that computes as its library does: the reference for this one's shortcuts.

        A backbone without shortcuts returns itself.
        """
        return self

    def to(self, device: torch.device | str) -> DualEncoder:
        """Move both towers to a device and return the encoder."""
        self.towers.to(device)
        return self
