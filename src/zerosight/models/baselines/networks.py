"""The methods: each turns features into logits of (normal, abnormal), for patches and for images.

Departures, of all: they stand on the features of the encoder at hand, with our own losses, wording and
numbers; they are ideas on the same footing, not the authors' models.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures
from zerosight.errors import ConfigError
from zerosight.models.baselines.config import (
    DetectorConfig,
    HeadsMethod,
    LinearMethod,
    PromptMethod,
    Sentences,
    Vip2Method,
)
from zerosight.models.baselines.exchange import exchange
from zerosight.models.baselines.text import state_features
from zerosight.models.vip2clip.model import Vip2Clip


@dataclass(frozen=True, slots=True)
class Logits:
    """What a method says of a batch, normal first."""

    patches: Float[Tensor, "level batch patch 2"]
    images: Float[Tensor, "batch 2"]


class Vip2Network(nn.Module):
    """ViP²-CLIP with parts exchanged.

    Static prompts without a class name and without the FGP are AnomalyCLIP's idea (object-agnostic prompt
    learning, arXiv 2310.18961); with a name in them, CoOp's (arXiv 2109.01134). Static prompts are read once
    for a batch.
    """

    def __init__(self, encoder: DualEncoder, config: DetectorConfig, method: Vip2Method) -> None:
        super().__init__()
        numbers = config.numbers
        if config.name:
            states = ("normal_word", "abnormal_word")
            words = {state: f"{getattr(numbers, state)} {config.name}" for state in states}
            numbers = numbers.model_copy(update=words)
        self.temperature = numbers.temperature
        self.model = exchange(Vip2Clip(encoder, numbers), method)
        self.is_static = method.conditions != "image"

    def forward(self, features: ImageFeatures, text: Float[Tensor, "1 2 dim"] | None = None) -> Logits:
        """Return the logits; those of images are their feature's cosines with the text features.

        Args:
            features: From the encoder.
            text: Of :meth:`read_static`; None reads the prompts anew.
        """
        if self.is_static:
            text = self._read_static() if text is None else text
            text = text.repeat(len(features.pooled), 1, 1)  # in memory as if it was read for each image
        else:
            text = self.model.read_prompts(features.pooled)
        alignment = self.model.align(text, features)
        images = einsum(features.pooled, alignment.text, "batch dim, batch state dim -> batch state")
        return Logits(alignment.cosines / self.temperature, images / self.temperature)

    @torch.no_grad()
    def read_static(self) -> Float[Tensor, "1 2 dim"] | None:
        """Return the text features of static prompts; None if the prompts depend on the image."""
        return self._read_static() if self.is_static else None

    def _read_static(self) -> Tensor:
        return self.model.read_prompts(self.model.ica.bias)  # stands for any image: nothing looks at it


class FixedPrompts(nn.Module):
    """Cosines of patches and of the image with fixed prompts.

    Source: CLIP (arXiv 2103.00020) with two sentences; WinCLIP (arXiv 2303.14814) for the ensemble of states
    and templates. Departures: no windows.
    """

    text: Tensor

    def __init__(self, encoder: DualEncoder, config: DetectorConfig, method: Sentences) -> None:
        super().__init__()
        self.temperature = config.numbers.temperature
        name = config.name or "object"
        self.register_buffer("text", state_features(encoder, method, name), persistent=False)

    def forward(self, features: ImageFeatures) -> Logits:
        """Return the logits."""
        states = self.text.T / self.temperature
        return Logits(features.patches @ states, features.pooled @ states)


class LinearToText(nn.Module):
    """A linear layer per level brings patches to fixed prompts, one more brings the image.

    Source: APRIL-GAN (arXiv 2305.17382). Departures: a layer for the image too, as not every encoder has a
    joint space for it.
    """

    def __init__(
        self, encoder: DualEncoder, levels: int, config: DetectorConfig, method: LinearMethod
    ) -> None:
        super().__init__()
        self.fixed = FixedPrompts(encoder, config, method)
        self.patches = nn.ModuleList(nn.Linear(encoder.dim, encoder.dim) for _ in range(levels))
        self.image = nn.Linear(encoder.dim, encoder.dim)

    def forward(self, features: ImageFeatures) -> Logits:
        """Return the logits."""
        patches = [layer(level) for layer, level in zip(self.patches, features.patches, strict=True)]
        return self.fixed(
            ImageFeatures(
                F.normalize(self.image(features.pooled), dim=-1), F.normalize(torch.stack(patches), dim=-1)
            )
        )


class Heads(nn.Module):
    """A small network per level for patches, and one for images, apart from each other; no text.

    Source: UniADet (language-free heads, decoupled by task and by level). Departures: a hidden layer.
    """

    def __init__(self, encoder: DualEncoder, levels: int, method: HeadsMethod) -> None:
        super().__init__()
        self.scale = encoder.dim**0.5  # features of unit length become channels of about unit size
        self.patches = nn.ModuleList(_head(encoder.dim, method.hidden) for _ in range(levels))
        self.image = _head(encoder.dim, method.hidden)

    def forward(self, features: ImageFeatures) -> Logits:
        """Return the logits."""
        patches = [
            head(self.scale * level) for head, level in zip(self.patches, features.patches, strict=True)
        ]
        return Logits(torch.stack(patches), self.image(self.scale * features.pooled))


def build_network(encoder: DualEncoder, config: DetectorConfig) -> nn.Module:
    """Return the method's network, with random weights where it has any.

    Raises:
        ConfigError: A level is not one of the encoder's, or the numbers do not fit the encoder.
    """
    method = config.method
    perception = method.perception if isinstance(method, Vip2Method) else None
    for name, chosen in (("levels", config.levels), ("perception", perception)):
        wrong = [level for level in chosen or () if not 1 <= level <= encoder.levels]
        if wrong:
            raise ConfigError(f"{name}: should be in 1 … {encoder.levels}, got {wrong[0]}")
    levels = len(config.levels) if config.levels else encoder.levels
    if isinstance(method, Vip2Method):
        return Vip2Network(encoder, config, method)
    if isinstance(method, LinearMethod):
        return LinearToText(encoder, levels, config, method)
    if isinstance(method, PromptMethod):
        return FixedPrompts(encoder, config, method)
    return Heads(encoder, levels, method)


def _head(dim: int, hidden: int) -> nn.Module:
    if not hidden:
        return nn.Linear(dim, 2)
    return nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, 2))
