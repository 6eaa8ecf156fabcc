"""ViP²-CLIP: the whole model, on features of a frozen dual encoder.

    features ─ pooled ──▶ ICA ─▶ text tower ─▶ text ─┐
            └─ patches ───────────────────────▶ FGP ─▶ aux_text ─▶ UTPA ─▶ cosines ─▶ map, score

``forward`` exists once: training (on cached features), evaluation, prediction and export call it.

Departures: none in the model. Defaults are the paper's; ``normal_word="damaged"`` reproduces the published
weights, whose normal prompt was built from the abnormal prompt's tokens.
Source: arXiv 2505.17692.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures, PromptPrefix
from zerosight.errors import ConfigError
from zerosight.models.vip2clip import utpa
from zerosight.models.vip2clip.config import Vip2ClipConfig
from zerosight.models.vip2clip.fgp import FineGrainedPerception
from zerosight.models.vip2clip.ica import ImageConditionedAdapter


@dataclass(frozen=True, slots=True)
class Alignment:
    """Text and patches of a batch, aligned.

    Attributes:
        text: ``G_t``, normal and abnormal, L2-normalised.
        aux_text: ``G̃_t^l``, the same refined per level.
        cosines: ``c^l``, every patch with both.
        image_logits: Mean cosine pair of the most abnormal patches, divided by the temperature.
    """

    text: Float[Tensor, "batch 2 dim"]
    aux_text: Float[Tensor, "level batch 2 dim"]
    cosines: Float[Tensor, "level batch patch 2"]
    image_logits: Float[Tensor, "batch 2"]

    @property
    def scores(self) -> Float[Tensor, "batch"]:
        """Anomaly score per image, in [0, 1]."""
        return self.image_logits.softmax(-1)[:, 1]


class Vip2Clip(nn.Module):
    """The trainable adapters (ICA and FGP) around a frozen encoder.

    The encoder is not a submodule: its weights are neither trained nor saved.

    Args:
        encoder: Frozen towers.
        config: The model's numbers.

    Raises:
        ConfigError: The prompt is longer than the text tower reads, the state words differ in their number of
            tokens, or ``heads`` does not divide the width.
    """

    def __init__(self, encoder: DualEncoder, config: Vip2ClipConfig | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config = config or Vip2ClipConfig()
        if encoder.dim % config.heads:
            raise ConfigError(f"heads: should divide the joint width {encoder.dim}, got {config.heads}")
        normal, abnormal = (encoder.embed_words(word) for word in (config.normal_word, config.abnormal_word))
        if len(normal) != len(abnormal):
            raise ConfigError(
                "normal_word, abnormal_word: should have equally many tokens in this text tower, but "
                f"'{config.normal_word}' is {len(normal)} and '{config.abnormal_word}' {len(abnormal)}"
            )
        self.ica = ImageConditionedAdapter(
            encoder.prompt_tokens(),
            (normal, abnormal),
            encoder.dim,
            config.n_context,
            config.n_conditioned,
            config.hidden,
        )
        self.fgp = FineGrainedPerception(encoder.dim, config.heads)
        if self.ica.end_position >= encoder.context_length:
            raise ConfigError(
                f"n_context + n_conditioned: the prompt has {self.ica.end_position + 1} tokens but the text "
                f"tower reads {encoder.context_length}; use fewer"
            )

    def forward(self, features: ImageFeatures, prefix: PromptPrefix | None = None) -> Alignment:
        """Return the alignment of a batch of image features.

        Args:
            features: From the encoder.
            prefix: Of :meth:`read_prefix`; None reads the prompts' beginnings anew, once for the batch.
        """
        return self.align(self.read_prompts(features.pooled, prefix), features)

    def read_prompts(
        self, pooled: Float[Tensor, "batch dim"], prefix: PromptPrefix | None = None
    ) -> Float[Tensor, "batch 2 dim"]:
        """Return ``G_t``: the text features of every image's prompts, L2-normalised.

        Args:
            pooled: Image features ``f``.
            prefix: As for :meth:`forward`.
        """
        prefix = prefix or self.encoder.read_prefix(self.ica.beginnings())
        if not prefix:
            return self._text(self.ica(pooled))
        endings = repeat(self.ica.endings(pooled), "batch token width -> batch 2 token width")
        return self._text(endings, prefix)

    def align(self, text: Float[Tensor, "batch 2 dim"], features: ImageFeatures) -> Alignment:
        """Return the alignment of a batch's features with the text features of its prompts."""
        return self._align(text, self.fgp.every(text, features.patches), features)

    def plain(self, features: ImageFeatures) -> Alignment:
        """Return the same by the published formulation: full-length prompts, unfolded FGP.

        The reference that tests and benchmarks hold ``forward`` to; on features of the encoder's own
        ``plain()`` it is the published model through and through.
        """
        prompts = self.ica(features.pooled, length=self.encoder.context_length)
        text = self._text(prompts, encoder=self.encoder.plain())
        aux_text = torch.stack([self.fgp.plain(text, level) for level in features.patches])
        return self._align(text, aux_text, features)

    def level_maps(self, alignment: Alignment, size: int) -> Float[Tensor, "level batch size size"]:
        """Return every level's abnormal probability at the given size: what the losses see."""
        return utpa.level_maps(alignment.cosines, self.config.temperature, size)

    def anomaly_maps(self, alignment: Alignment, size: int) -> Float[Tensor, "batch size size"]:
        """Return the blurred anomaly map of every image, in [0, 1]."""
        return utpa.anomaly_map(alignment.cosines, self.config.temperature, size, self.config.blur_sigma)

    @torch.no_grad()
    def read_prefix(self) -> PromptPrefix | None:
        """Return what the text tower remembers of the prompts' beginnings, which depend on no image.

        It belongs to the weights as they are now. None if the text tower is not causal.
        """
        return self.encoder.read_prefix(self.ica.beginnings())

    def fast(self) -> Vip2Clip:
        """Return the model on an image tower in bf16; the adapters are the same objects."""
        other = copy.copy(self)
        other.encoder = self.encoder.fast()
        return other

    def place(self, device: torch.device | str) -> Vip2Clip:
        """Move the adapters and the encoder to a device."""
        self.encoder.to(device)
        return self.to(device)

    def _text(
        self, prompts: Tensor, prefix: PromptPrefix | None = None, encoder: DualEncoder | None = None
    ) -> Tensor:
        flat = rearrange(prompts, "batch state token width -> (batch state) token width")
        encoded = (encoder or self.encoder).encode_prompts(flat, self.ica.end_position, prefix)
        return F.normalize(rearrange(encoded, "(batch state) dim -> batch state dim", state=2), dim=-1)

    def _align(self, text: Tensor, aux_text: Tensor, features: ImageFeatures) -> Alignment:
        cosines = utpa.text_patch_cosines(features.patches, aux_text)
        pair = utpa.top_cosines(cosines, self.config.temperature, self.config.top_k)
        return Alignment(text, aux_text, cosines, pair / self.config.temperature)
