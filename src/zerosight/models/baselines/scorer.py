"""A baseline in PyTorch as a scorer: pixels in, scores and maps out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from zerosight.backbones.normalise import normalise
from zerosight.choices import Arithmetic
from zerosight.errors import ConfigError
from zerosight.models.baselines.card import BaselineCard
from zerosight.models.baselines.detector import Detector
from zerosight.models.baselines.folder import load_baseline
from zerosight.models.vip2clip.scorer import run
from zerosight.preprocess import Preprocess
from zerosight.weights import usable_device


class DetectorToMap(nn.Module):
    """The whole way from pixels to scores and maps.

    Static prompts are read here, once: the weights are final.

    Args:
        detector: Where it will run.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector
        self.text = detector.read_static()

    def forward(
        self, pixels: UInt8[Tensor, "batch size size 3"]
    ) -> tuple[Float32[Tensor, "batch"], Float32[Tensor, "batch size size"]]:
        """Return the anomaly score and the blurred map of every image, both in [0, 1]."""
        encoder = self.detector.encoder
        features = encoder.encode_image(normalise(pixels, encoder.preprocess))
        verdict = self.detector(features, self.text)
        maps = self.detector.anomaly_maps(verdict, encoder.preprocess.size).clamp(0, 1)
        return verdict.scores.float(), maps.float()


class BaselineScorer:
    """Runs a baseline in PyTorch.

    Args:
        detector: The model.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        precision: ``exact`` is fp32; ``fast`` computes the image tower in bf16.

    Raises:
        ConfigError: There is no such device here.
    """

    def __init__(self, detector: Detector, device: str = "cpu", precision: Arithmetic = "exact") -> None:
        chosen = detector if precision == "exact" else detector.fast()
        self.detector = chosen.eval().place(usable_device(device))
        self.network = DetectorToMap(self.detector)
        self.device = device

    @property
    def preprocess(self) -> Preprocess:
        """The backbone's constants."""
        return self.detector.encoder.preprocess

    def score(
        self, pixels: UInt8[np.ndarray, "batch size size 3"]
    ) -> tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]:
        """Return the anomaly score and the blurred map of every image, both in [0, 1]."""
        return run(self.network, pixels, self.device)


def load_scorer(
    name: str | Path, device: str = "cpu", precision: Arithmetic = "exact", compile: bool = False
) -> tuple[BaselineScorer, BaselineCard]:
    """Return a baseline ready to score, and its card.

    Args:
        name: A folder.
        device: As for :class:`BaselineScorer`.
        precision: Likewise.
        compile: Not to be had for baselines.

    Raises:
        WeightsError: As :func:`zerosight.models.baselines.folder.load_baseline`.
        ConfigError: There is no such device here, or ``compile`` is asked for.
    """
    if compile:
        raise ConfigError("compile: baselines are not translated; leave it out")
    loaded = load_baseline(name)
    return BaselineScorer(loaded.detector, device, precision), loaded.card
