"""What an evaluation hands out: tables per category, their plain mean, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zerosight.data.rows import ManifestHeader
from zerosight.evaluate.outcome import Outcome
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
class Left:
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


@dataclass(frozen=True, slots=True, eq=False)
class DatasetResult:
    """One model on one data set.

    Attributes:
        header: The facts about the data set.
        categories: Results in the order of the tables.
        mean: Their plain mean.
        left_out: What is in no metric, or in some only, and why; empty when everything was used.
    """

    header: ManifestHeader
    categories: tuple[CategoryResult, ...]
    mean: Mean
    left_out: tuple[Left, ...]

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
