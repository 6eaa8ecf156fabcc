"""The values that zerosight hands out: one frozen dataclass per kind of result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

Arithmetic = Literal["exact", "fast"]
"""How a model is computed: in fp32 throughout, or its image tower in what is fastest (bf16)."""


@dataclass(frozen=True, slots=True)
class Region:
    """One connected anomalous region of an image.

    Attributes:
        box: Bounds (left, top, right, bottom) in pixels of the image's own size, right and bottom exclusive.
        area: Number of pixels at or above the pixel threshold.
        peak: Largest value of the anomaly map inside the region, in [0, 1].
    """

    box: tuple[int, int, int, int]
    area: int
    peak: float


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the model says about one image.

    Attributes:
        source: Path of the image, or ``"image 3"`` for the fourth array or PIL image of a call.
        score: Anomaly score of the image, in [0, 1].
        threshold: Scores at or above it are called anomalous.
        pixel_threshold: Map values at or above it belong to a region.
        anomaly_map: Anomaly probability per pixel, in [0, 1], at the image's own height and width.
        regions: Connected regions of ``anomaly_map >= pixel_threshold``, the highest peak first.
    """

    source: str
    score: float
    threshold: float
    pixel_threshold: float
    anomaly_map: Float32[np.ndarray, "height width"]
    regions: tuple[Region, ...]

    @property
    def is_anomalous(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    def to_json(self) -> dict[str, Any]:
        """Return everything but the map as plain JSON values."""
        height, width = self.anomaly_map.shape
        return {
            "source": self.source,
            "score": round(self.score, 6),
            "is_anomalous": self.is_anomalous,
            "threshold": self.threshold,
            "pixel_threshold": self.pixel_threshold,
            "height": height,
            "width": width,
            "regions": [{"box": list(r.box), "area": r.area, "peak": round(r.peak, 6)} for r in self.regions],
        }


@dataclass(frozen=True, slots=True)
class FindingScore:
    """One finding of one image.

    Attributes:
        name: The finding, as it was asked for.
        score: Similarity of the image to the finding's anchor, as the scoring mode defines it.
        probability: Calibrated probability that the finding is present, in [0, 1].
        threshold: Probabilities at or above it count as present, in [0, 1].
    """

    name: str
    score: float
    probability: float
    threshold: float

    @property
    def is_present(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "name": self.name,
            "score": round(self.score, 6),
            "probability": self.probability,
            "threshold": self.threshold,
            "is_present": self.is_present,
        }


@dataclass(frozen=True, slots=True, eq=False)
class FindingPrediction:
    """What the model says about the findings of one chest image.

    Attributes:
        source: As in :class:`Prediction`.
        findings: The findings asked for, the highest probability first.
        mode: How the scores were made, such as ``"pos-neg"``.
        provenance: Whether the anchors were made without sight of the names asked for, ``"train-only"``, or
            with it, ``"target-aware"``.
        maps: Where the image is similar to a finding, by its name, and where the model looked, by
            ``"attention"``; each in [0, 1], at the image's own height and width. May lack any of them.
    """

    source: str
    findings: tuple[FindingScore, ...]
    mode: str
    provenance: str
    maps: Mapping[str, Float32[np.ndarray, "height width"]]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the maps as plain JSON values."""
        return {
            "source": self.source,
            "mode": self.mode,
            "provenance": self.provenance,
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be read or scored.

    Attributes:
        source: As in :class:`Prediction`.
        error: One line that says why.
    """

    source: str
    error: str

    def to_json(self) -> dict[str, Any]:
        """Return the failure as plain JSON values."""
        return {"source": self.source, "error": self.error}
