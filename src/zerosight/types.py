"""The values that zerosight hands out: one frozen dataclass per kind of result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32


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
