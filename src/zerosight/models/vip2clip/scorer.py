"""ViP²-CLIP in PyTorch as a scorer: pixels in, scores and maps out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from zerosight.backbones.normalise import normalise
from zerosight.choices import Arithmetic
from zerosight.errors import ConfigError
from zerosight.models.familiarity import Familiarity
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import load_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.preprocess import Preprocess
from zerosight.weights import usable_device

Judged = tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"], list[bool | None]]
"""Scores and maps of images, both in [0, 1], and whether each is familiar; None where that is not known."""


class PixelsToMap(nn.Module):
    """The whole way from pixels to scores and maps: what prediction runs and export writes down.

    What the text tower remembers of the prompts' beginnings is computed here, once: the weights are final.

    Args:
        model: Adapters and encoder, where they will run.
    """

    def __init__(self, model: Vip2Clip) -> None:
        super().__init__()
        self.model = model
        self.preprocess = model.encoder.preprocess
        self.prefix = model.read_prefix()
        self.encode_image = model.encoder.encode_image

    def forward(
        self, pixels: UInt8[Tensor, "batch size size 3"]
    ) -> tuple[Float32[Tensor, "batch"], Float32[Tensor, "batch size size"]]:
        """Return the anomaly score and the blurred map of every image, both in [0, 1]."""
        scores, maps, _ = self.look(pixels)
        return scores, maps

    def look(
        self, pixels: UInt8[Tensor, "batch size size 3"]
    ) -> tuple[Float32[Tensor, "batch"], Float32[Tensor, "batch size size"], Float32[Tensor, "batch dim"]]:
        """Return the same, and the pooled features that familiarity is judged by."""
        features = self.encode_image(normalise(pixels, self.preprocess))
        alignment = self.model(features, self.prefix)
        maps = self.model.anomaly_maps(alignment, self.preprocess.size).clamp(0, 1)
        return alignment.scores.float(), maps.float(), features.pooled.float()


class TorchScorer:
    """Runs a model in PyTorch.

    Args:
        model: Adapters and encoder.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        precision: ``exact`` is fp32; ``fast`` computes the image tower in bf16.
        compile: Let ``torch.compile`` translate the image tower, which takes a minute and a C++ compiler.
        familiarity: Tells images like those of training from others; None where that is not known.

    Raises:
        ConfigError: There is no such device here, or the tower cannot be compiled here.
    """

    def __init__(
        self,
        model: Vip2Clip,
        device: str = "cpu",
        precision: Arithmetic = "exact",
        compile: bool = False,
        familiarity: Familiarity | None = None,
    ) -> None:
        self.model = (model if precision == "exact" else model.fast()).eval().place(usable_device(device))
        self.network = PixelsToMap(self.model)
        self.device = device
        self.familiarity = familiarity
        if compile:
            self._compile()

    @property
    def preprocess(self) -> Preprocess:
        """The backbone's constants."""
        return self.model.encoder.preprocess

    def score(
        self, pixels: UInt8[np.ndarray, "batch size size 3"]
    ) -> tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]:
        """Return the anomaly score and the blurred map of every image, both in [0, 1]."""
        return run(self.network, pixels, self.device)

    def judge(self, pixels: UInt8[np.ndarray, "batch size size 3"]) -> Judged:
        """Return the same, and per image whether it is like those of training."""
        return judge(self.network.look, pixels, self.device, self.familiarity)

    def _compile(self) -> None:
        picture = np.zeros((1, self.preprocess.size, self.preprocess.size, 3), np.uint8)
        self.score(picture)  # what is computed once per size is there from here on
        self.network.encode_image = torch.compile(self.network.encode_image)
        try:
            self.score(picture)
        except Exception as error:  # compilers fail in as many ways as there are compilers
            reason = " ".join(str(error).split())[:160]
            raise ConfigError(
                f"compile: PyTorch cannot compile the image tower here ({reason}); leave it out"
            ) from None


def run(
    network: nn.Module, pixels: UInt8[np.ndarray, "batch size size 3"], device: str
) -> tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]:
    """Return the scores and maps that a network makes of pixels.

    Args:
        network: Such as :class:`PixelsToMap`, on the device.
        pixels: Of some images.
        device: As for :class:`TorchScorer`.
    """
    with torch.inference_mode():
        scores, maps = network(torch.from_numpy(pixels).to(device))
    return scores.cpu().numpy(), maps.cpu().numpy()


def judge(
    look: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
    pixels: UInt8[np.ndarray, "batch size size 3"],
    device: str,
    familiarity: Familiarity | None,
) -> Judged:
    """Return the same, and per image whether it is familiar, from one pass.

    Args:
        look: Such as :meth:`PixelsToMap.look`.
        pixels: Of some images.
        device: As for :class:`TorchScorer`.
        familiarity: Likewise.
    """
    with torch.inference_mode():
        scores, maps, looks = look(torch.from_numpy(pixels).to(device))
    known = familiarity.is_familiar(looks) if familiarity else [None] * len(pixels)
    return scores.cpu().numpy(), maps.cpu().numpy(), list(known)


def load_scorer(
    name: str | Path, device: str = "cpu", precision: Arithmetic = "exact", compile: bool = False
) -> tuple[TorchScorer, Vip2ClipCard]:
    """Return a model ready to score, and its card.

    Args:
        name: A shipped model's name or a model folder.
        device: As for :class:`TorchScorer`, like all that follows.
        precision: Likewise.
        compile: Likewise.

    Raises:
        WeightsError: As :func:`zerosight.models.vip2clip.folder.load_model`.
        ConfigError: There is no such device here, or the tower cannot be compiled here.
    """
    loaded = load_model(name)
    return TorchScorer(loaded.model, device, precision, compile, loaded.familiarity), loaded.card


def tiny_scorer(seed: int = 0) -> TorchScorer:
    """Return a random miniature: its scores mean nothing, its shapes and types are right."""
    from zerosight.backbones.tiny import tiny_encoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TorchScorer(Vip2Clip(tiny_encoder(seed)))
