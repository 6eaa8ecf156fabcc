"""What an evaluation hands out: tables per category, their plain mean, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped

from zerosight.data.rows import ManifestHeader
from zerosight.evaluate.anomalies.outcome import Outcome
from zerosight.metrics import Curves, ImageTable, PixelTable


@dataclass(frozen=True, slots=True, eq=False)
class CategoryResult:
    """The metrics of one category.

    Attributes:
        name: The category.
        image: Metrics of the scores.
        pixel: Metrics of the maps.
        outcomes: Its scored images, by name.
        image_curves: ROC and precision–recall points of the scores.
        pixel_curves: Points of the maps' curves; None without masks.
    """

    name: str
    image: ImageTable
    pixel: PixelTable
    outcomes: tuple[Outcome, ...]
    image_curves: Curves
    pixel_curves: Curves | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, without the curves and single images."""
        return {
            "name": self.name,
            "images": len(self.outcomes),
            "image": self.image.to_json(),
            "pixel": self.pixel.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Mean:
    """Plain means over the categories for which a metric is defined; counts are sums.

    Attributes:
        image: Means of the scores' metrics; their intervals come from resampling every category.
        pixel: Means of the maps' metrics.
        image_over: Number of categories with defined image metrics.
        pixel_over: Number of categories with defined pixel metrics.
    """

    image: ImageTable
    pixel: PixelTable
    image_over: int
    pixel_over: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "image": self.image.to_json(),
            "pixel": self.pixel.to_json(),
            "image_over": self.image_over,
            "pixel_over": self.pixel_over,
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows, images or masks that were left out for one reason.

    Attributes:
        kind: The reason.
        count: How many.
        examples: One line each, of the first ones.
    """

    kind: str
    count: int
    examples: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"kind": self.kind, "count": self.count, "examples": list(self.examples)}


@dataclass(frozen=True, slots=True)
class Decisions:
    """How often the yes or no at the model's own threshold is right.

    Attributes:
        threshold: Scores at or above it are anomalous, in [0, 1].
        normal: Number of normal images.
        false_alarms: Number of them that are called anomalous.
        anomalous: Number of anomalous images.
        misses: Number of them that are not.
    """

    threshold: float
    normal: int
    false_alarms: int
    anomalous: int
    misses: int

    @classmethod
    def of(
        cls, scores: Shaped[np.ndarray, " images"], labels: Shaped[np.ndarray, " images"], threshold: float
    ) -> Decisions:
        """Return what a threshold decides about scores, whose labels are 0 normal and 1 anomalous."""
        above, normal, anomalous = scores >= threshold, labels == 0, labels == 1
        return cls(
            threshold,
            normal=int(normal.sum()),
            false_alarms=int(above[normal].sum()),
            anomalous=int(anomalous.sum()),
            misses=int((~above)[anomalous].sum()),
        )

    @property
    def false_alarm_rate(self) -> float:
        """Share of the normal images that are called anomalous, NaN without any."""
        return self.false_alarms / self.normal if self.normal else float("nan")

    @property
    def miss_rate(self) -> float:
        """Share of the anomalous images that are not, NaN without any."""
        return self.misses / self.anomalous if self.anomalous else float("nan")

    def __str__(self) -> str:
        """Return it in a line; what there is none of is left out."""
        said = []
        if self.normal:
            rate = f"({self.false_alarm_rate:.1%})"
            said.append(f"{self.false_alarms} of {self.normal} normal images called anomalous {rate}")
        if self.anomalous:
            said.append(f"{self.misses} of {self.anomalous} anomalous images missed ({self.miss_rate:.1%})")
        return f"at the model's threshold {self.threshold:.3f}: {', '.join(said) or 'no labelled image'}"


@dataclass(frozen=True, slots=True, eq=False)
class DatasetResult:
    """One model on one data set.

    Attributes:
        header: The facts about the data set.
        categories: Results in the order of the tables.
        mean: Their plain mean.
        left_out: What is in no metric, or in some only, and why; empty when everything was used.
        threshold: The model's own, for scores, in [0, 1].
    """

    header: ManifestHeader
    categories: tuple[CategoryResult, ...]
    mean: Mean
    left_out: tuple[LeftOut, ...]
    threshold: float

    @property
    def decisions(self) -> Decisions:
        """How often the model's yes or no is right, over all categories."""
        outcomes = [one for category in self.categories for one in category.outcomes]
        labelled = [one for one in outcomes if one.label is not None]
        scores = np.array([one.score for one in labelled], np.float64)
        return Decisions.of(scores, np.array([one.label for one in labelled], np.int64), self.threshold)

    @property
    def images(self) -> int:
        """Number of images scored."""
        return sum(len(category.outcomes) for category in self.categories)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        header = self.header
        return {
            "name": header.name,
            "licence": header.licence,
            "citation": header.citation,
            "source": header.source,
            "images": self.images,
            "left_out": [one.to_json() for one in self.left_out],
            "decisions": asdict(self.decisions),
            "categories": [category.to_json() for category in self.categories],
            "mean": self.mean.to_json(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One model on one or more data sets.

    Attributes:
        model: Facts that identify the model and its weights, as JSON values.
        settings: The settings that results depend on, as JSON values.
        datasets: The results.
    """

    model: Mapping[str, Any]
    settings: Mapping[str, Any]
    datasets: tuple[DatasetResult, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "schema": 1,
            "model": dict(self.model),
            "settings": dict(self.settings),
            "datasets": [dataset.to_json() for dataset in self.datasets],
        }
