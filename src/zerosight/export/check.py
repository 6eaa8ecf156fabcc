"""Holding an exported graph to the model it came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from zerosight.choices import Precision
from zerosight.errors import ExportError
from zerosight.predict.anomalies import Scorer

LARGEST_DIFFERENCE: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1e-2, "int8": 0.1}
"""Of scores; of maps too, unless the precision is int8."""
LEAST_CORRELATION, NEGLIGIBLE = 0.9, 0.05
"""Of int8 maps, all pixels of all images together, unless they differ by no more than the second number."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far an exported graph is from its model.

    Attributes:
        images: Number of images compared.
        score: Largest absolute difference of scores.
        map: Largest absolute difference of map values.
        correlation: Of map values, Pearson's; 1 where the model's maps are constant.
    """

    images: int
    score: float
    map: float
    correlation: float

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def check(self, precision: Precision) -> None:
        """Refuse a graph that is further from its model than its precision explains.

        Raises:
            ExportError: It is; the message says by how much.
        """
        allowed = LARGEST_DIFFERENCE[precision]
        if not self.score <= allowed:
            raise ExportError(
                self._refusal(precision, f"scores differ by {self.score:.1e}, at most {allowed}")
            )
        if precision == "int8":
            if not (self.correlation >= LEAST_CORRELATION or self.map <= NEGLIGIBLE):
                found = f"maps correlate by {self.correlation:.3f}, at least {LEAST_CORRELATION}"
                raise ExportError(self._refusal(precision, found))
        elif not self.map <= allowed:
            raise ExportError(self._refusal(precision, f"maps differ by {self.map:.1e}, at most {allowed}"))

    def _refusal(self, precision: Precision, found: str) -> str:
        mend = "give more or other --calibration images, or use fp16" if precision == "int8" else "use fp32"
        if precision == "fp32":
            mend = "nothing was written; please report this"
        return f"the {precision} graph does not agree with the model ({found} is allowed); {mend}"


def compare(model: Scorer, graph: Scorer, pixels: UInt8[np.ndarray, "image size size 3"]) -> Agreement:
    """Return how far a graph is from the model, over the same images one by one and in batches.

    Args:
        model: The model in PyTorch.
        graph: The exported graph.
        pixels: Images at the model's size; the first goes through alone, the others three at a time.
    """
    parts = [pixels[:1], *(pixels[i : i + 3] for i in range(1, len(pixels), 3))]
    expected, found = ([scorer.score(part) for part in parts] for scorer in (model, graph))
    scores, maps = (
        [np.concatenate([pair[i] for pair in side]) for side in (expected, found)] for i in (0, 1)
    )
    return Agreement(
        images=len(pixels),
        score=float(np.abs(scores[0] - scores[1]).max()),
        map=float(np.abs(maps[0] - maps[1]).max()),
        correlation=_correlation(maps[0].ravel(), maps[1].ravel()),
    )


def _correlation(expected: np.ndarray, found: np.ndarray) -> float:
    if np.ptp(expected) == 0 or np.ptp(found) == 0:
        return 1.0 if np.ptp(expected) == np.ptp(found) else 0.0
    return float(np.corrcoef(expected.astype(np.float64), found.astype(np.float64))[0, 1])
