"""A detector: a method on the features of a frozen encoder, and a judge of images above it."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures
from zerosight.models.baselines.config import DetectorConfig
from zerosight.models.baselines.networks import Vip2Network, build_network
from zerosight.models.vip2clip import utpa

_AS_THEY_ARE = 1.0  # logits are cosines that the temperature has divided already


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a detector says of a batch.

    Attributes:
        patch_logits: Normal and abnormal, of every patch at every level.
        image_logits: The same of every image.
    """

    patch_logits: Float[Tensor, "level batch patch 2"]
    image_logits: Float[Tensor, "batch 2"]

    @property
    def scores(self) -> Float[Tensor, "batch"]:
        """Anomaly score per image, in [0, 1]."""
        return self.image_logits.softmax(-1)[:, 1]


class Detector(nn.Module):
    """Finds anomalies in features; what it is made of is a matter of configuration.

    The encoder is not a submodule: its weights are neither trained nor saved.

    Args:
        encoder: Frozen towers.
        config: What it is made of.

    Raises:
        ConfigError: The configuration does not fit the encoder.
    """

    def __init__(self, encoder: DualEncoder, config: DetectorConfig | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config = config or DetectorConfig()
        self.network = build_network(encoder, config)
        self._levels = None if config.levels is None else [level - 1 for level in config.levels]

    def forward(self, features: ImageFeatures, text: Float[Tensor, "1 2 dim"] | None = None) -> Verdict:
        """Return the verdict on a batch of the encoder's features.

        Args:
            features: From the encoder.
            text: Of :meth:`read_static`; None reads static prompts anew, once for the batch.
        """
        if self._levels is not None:
            features = ImageFeatures(features.pooled, features.patches[self._levels])
        logits = self.network(features) if text is None else self.network(features, text)
        judged = _JUDGES[self.config.score](logits.patches, logits.images, self.config)
        return Verdict(logits.patches, judged)

    def read_static(self) -> Float[Tensor, "1 2 dim"] | None:
        """Return what the text tower reads in static prompts, which depend on no image.

        It belongs to the weights as they are now. None if there are no such prompts.
        """
        return self.network.read_static() if isinstance(self.network, Vip2Network) else None

    def level_maps(self, verdict: Verdict, size: int) -> Float[Tensor, "level batch size size"]:
        """Return every level's abnormal probability at the given size: what the losses see."""
        return utpa.level_maps(verdict.patch_logits, _AS_THEY_ARE, size)

    def anomaly_maps(self, verdict: Verdict, size: int) -> Float[Tensor, "batch size size"]:
        """Return the blurred anomaly map of every image, in [0, 1]."""
        return utpa.anomaly_map(verdict.patch_logits, _AS_THEY_ARE, size, self.config.numbers.blur_sigma)

    def called(self, name: str) -> Detector:
        """Return the detector with the same weights and another name for the thing."""
        config = self.config.model_copy(update={"name": name})
        with torch.random.fork_rng(devices=[]):  # its random weights are not kept, and disturb no chance
            other = Detector(self.encoder, config)
        trained = dict(self.named_parameters())
        for key, parameter in other.named_parameters():
            parameter.data = trained[key].data
        return other.train(self.training)

    def fast(self) -> Detector:
        """Return the detector on an image tower in bf16."""
        other = copy.copy(self)
        other.encoder = self.encoder.fast()
        return other

    def place(self, device: torch.device | str) -> Detector:
        """Move the detector and its encoder to a device."""
        self.encoder.to(device)
        return self.to(device)


def _unified(patches: Tensor, images: Tensor, config: DetectorConfig) -> Tensor:
    return utpa.top_cosines(patches, _AS_THEY_ARE, config.numbers.top_k)


def _global(patches: Tensor, images: Tensor, config: DetectorConfig) -> Tensor:
    return images


def _maximum(patches: Tensor, images: Tensor, config: DetectorConfig) -> Tensor:
    highest = utpa.abnormal_probability(patches, _AS_THEY_ARE).mean(0).amax(-1)
    odds = highest.clamp(1e-6, 1 - 1e-6).logit()
    return torch.stack([torch.zeros_like(odds), odds], dim=-1)


_JUDGES = {"unified": _unified, "global": _global, "maximum": _maximum}
