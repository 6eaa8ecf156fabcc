"""Examples: the images a model found best, missed worst and confused most, to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from zerosight.data.manifest import Dataset, located
from zerosight.data.masks import read_mask
from zerosight.data.pixels import read_image
from zerosight.errors import ZerosightError
from zerosight.evaluate.anomalies.outcome import Outcome
from zerosight.evaluate.anomalies.result import DatasetResult
from zerosight.predict.anomalies import Predictor
from zerosight.report.heatmap import overlay
from zerosight.report.page import data_uri
from zerosight.types import Prediction

PER_GROUP = 4
_SIDE = 360


@dataclass(frozen=True, slots=True)
class Group:
    """Images of one kind, the most telling first.

    Attributes:
        title: Which kind.
        rule: How they were chosen.
        outcomes: The images.
    """

    title: str
    rule: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One image with its pictures.

    Attributes:
        outcome: What is known of it.
        pictures: Label and data URI of each picture: photo, map over photo, mask.
    """

    outcome: Outcome
    pictures: tuple[tuple[str, str], ...]


def choose(result: DatasetResult, count: int = PER_GROUP) -> list[Group]:
    """Return the best, the worst and the most confused images; only groups that have any.

    With normal and anomalous images the score decides, relative to its category's threshold of the largest
    F1; without, the average precision of the pixels within the image does.
    """
    thresholds = {c.name: c.image.f1_threshold for c in result.categories}
    outcomes = [outcome for c in result.categories for outcome in c.outcomes]

    def margin(outcome: Outcome) -> float:
        threshold = thresholds[outcome.category]
        return (outcome.score or 0.0) - (threshold.value if threshold.is_defined else 0.0)

    def localisation(outcome: Outcome) -> float:
        return outcome.localisation or 0.0

    normal = [o for o in outcomes if o.label == 0]
    anomalous = [o for o in outcomes if o.label == 1]
    if normal and anomalous:
        groups = [
            Group("Best", "anomalous images with the highest scores", _top(anomalous, margin, count)),
            Group("Worst", "anomalous images with the lowest scores", _top(anomalous, margin, -count)),
            Group("Most confused", "normal images with the highest scores", _top(normal, margin, count)),
        ]
    else:
        placed = [o for o in outcomes if o.localisation is not None]
        groups = [
            Group("Best", "maps that fit the mask best", _top(placed, localisation, count)),
            Group("Worst", "maps that fit the mask worst", _top(placed, localisation, -count)),
        ]
    return [group for group in groups if group.outcomes]


def draw(group: Group, dataset: Dataset, predictor: Predictor) -> list[Example]:
    """Return a group's images with their pictures; the few maps are made again, none was kept."""
    return [Example(o, tuple(_pictures(o, dataset, predictor))) for o in group.outcomes]


def _top(outcomes: Iterable[Outcome], key: Callable[[Outcome], float], count: int) -> tuple[Outcome, ...]:
    """Return the ``count`` with the largest key, or with the smallest if it is negative."""
    sign = -1 if count > 0 else 1
    return tuple(sorted(outcomes, key=lambda o: (sign * key(o), o.image))[: abs(count)])


def _pictures(outcome: Outcome, dataset: Dataset, predictor: Predictor) -> Iterable[tuple[str, str]]:
    """Yield labels and pictures; what has become unreadable since is left out."""
    try:
        image = read_image(located(dataset, outcome.image))
        yield "photo", _uri(image.convert("RGB"))
        for found in predictor.predict(image):
            if isinstance(found, Prediction):
                yield "map over photo", _uri(overlay(image, found.anomaly_map, found.pixel_threshold))
        if outcome.mask is not None:
            mask = read_mask(located(dataset, outcome.mask), dataset.header.mask_threshold)
            yield "mask", _uri(Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB"))
    except ZerosightError:
        return


def _uri(picture: Image.Image) -> str:
    """Return a small copy as a WebP data URI."""
    small = picture.copy()
    small.thumbnail((_SIDE, _SIDE), reducing_gap=2)
    return data_uri(small)
