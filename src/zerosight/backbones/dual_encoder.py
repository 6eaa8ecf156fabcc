"""The seam between frozen vision-language backbones and the models built on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

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


@runtime_checkable
class DualEncoder(Protocol):
    """A frozen image tower and text tower with one joint space.

    Attributes:
        preprocess: Constants that turn an image into the tower's input.
        dim: Width of the joint space (``D``).
        text_width: Width of the text tower's token embeddings.
        levels: Number of tapped blocks (``L``).
        grid: Patches per side of the grid on which all levels lie.
        context_length: Longest prompt, in tokens, that the text tower reads.
        fingerprint: Changes when the weights or the architecture change; keys caches and cards.
    """

    @property
    def preprocess(self) -> Preprocess: ...
    @property
    def dim(self) -> int: ...
    @property
    def text_width(self) -> int: ...
    @property
    def levels(self) -> int: ...
    @property
    def grid(self) -> int: ...
    @property
    def context_length(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...

    def encode_image(self, images: Float[Tensor, "batch 3 height width"]) -> ImageFeatures:
        """Return pooled and patch features of preprocessed images."""
        ...

    def prompt_tokens(self) -> PromptTokens:
        """Return the embeddings that frame a prompt."""
        ...

    def embed_words(self, words: str) -> Float[Tensor, "token width"]:
        """Return the token embeddings of some words, without start and end."""
        ...

    def encode_prompts(
        self, prompts: Float[Tensor, "prompt token width"], end: int
    ) -> Float[Tensor, "prompt dim"]:
        """Return the text features (not normalised) of embedded prompts.

        Args:
            prompts: Token embeddings, positions not yet added. Tokens after ``end`` are padding.
            end: Index of the prompt's closing token.
        """
        ...

    def to(self, device: torch.device | str) -> DualEncoder:
        """Move both towers to a device and return the encoder."""
        ...
