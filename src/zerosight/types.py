"""The values that zerosight hands out: one frozen dataclass per kind of result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32
from PIL import Image

from zerosight.choices import MapName

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAP_THRESHOLD = 0.5
"""Value of a finding's map from which a picture is plainly coloured: our default."""

UNLIKE = "unlike the images that this model was made from"
"""What is said of an image that is not familiar, instead of normal or anomalous."""

SHOWING = "zerosight.report.showing"
"""Draws what results look like. It lies above this module, and is imported when it is used."""


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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prediction:
    """What the model says about one image.

    Attributes:
        source: Path of the image, or ``"image 3"`` for the fourth array or PIL image of a call.
        score: Anomaly score of the image, in [0, 1].
        threshold: Scores at or above it are called anomalous.
        pixel_threshold: Map values at or above it belong to a region.
        anomaly_map: Anomaly probability per pixel, in [0, 1], at the image's own height and width.
        regions: Connected regions of ``anomaly_map >= pixel_threshold``, the highest peak first. An anomalous
            image without any has one, the surroundings of its peak.
        image: The image itself where it was given as an array or a PIL image; None where ``source`` is a
            file, which is read again when a picture is asked for.
        transductive: Whether the score depends on the other images of its batch.
        is_familiar: Whether the image as a whole is like those that the model was made from; one that is not
            gets a note instead of a verdict. None where the model cannot tell.

    Example:
        >>> blank = np.zeros((30, 40), np.float32)
        >>> Prediction("a.png", 0.12, 0.5, 0.5, blank, ())
        Prediction('a.png', score 0.1200 below 0.5000, normal, 0 regions, 40 x 30)
    """

    source: str
    score: float
    threshold: float
    pixel_threshold: float
    anomaly_map: Float32[np.ndarray, "height width"]
    regions: tuple[Region, ...]
    image: Image.Image | None = None
    transductive: bool = False
    is_familiar: bool | None = None

    @property
    def is_anomalous(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the map as plain JSON values."""
        height, width = self.anomaly_map.shape
        values: dict[str, Any] = {
            "source": self.source,
            "score": round(self.score, 6),
            "is_anomalous": self.is_anomalous,
            "threshold": self.threshold,
            "pixel_threshold": self.pixel_threshold,
            "height": height,
            "width": width,
            "regions": [{"box": list(r.box), "area": r.area, "peak": round(r.peak, 6)} for r in self.regions],
        }
        if self.transductive:
            values["transductive"] = True
        return values | ({} if self.is_familiar is None else {"is_familiar": self.is_familiar})

    def to_json(self) -> str:
        """Return :meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())

    def heatmap(self) -> Image.Image:
        """Return the map as colours on the fixed scale, black at 0 to pale yellow at 1."""
        return _shown("anomaly_heatmap")(self)

    def overlay(self) -> Image.Image:
        """Return the image with the map over it: untouched where normal, coloured from near the threshold on.

        Raises:
            ImageReadError: The file is no longer there, or holds another image than it did.
        """
        return _shown("anomaly_overlay")(self)

    def outline(self) -> Image.Image:
        """Return the image with a thin line around every region, and its number; raises as ``overlay``."""
        return _shown("anomaly_outline")(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the overlay and the boxes of the regions with matplotlib, and return the axes.

        Args:
            ax: Where to draw; None makes a figure.

        Raises:
            MissingExtraError: Matplotlib is not installed.
            ImageReadError: As ``overlay``.
        """
        return _shown("plot_anomaly")(self, ax)

    def save(self, folder: str | Path) -> Path:
        """Add this result to a folder of results, as ``zerosight predict --out`` writes them, and return it.

        Args:
            folder: A new folder, or one that results were saved in this way before.

        Raises:
            OutputError: The folder cannot be written, or holds the results of a run with its settings.
            ImageReadError: As ``overlay``.
        """
        return _shown("save_anomaly")(self, Path(folder))

    def __repr__(self) -> str:
        height, width = self.anomaly_map.shape
        said = "at or above" if self.is_anomalous else "below"
        verdict = "anomalous" if self.is_anomalous else "normal"
        verdict = UNLIKE if self.is_familiar is False else verdict
        regions = f"{len(self.regions)} region{'' if len(self.regions) == 1 else 's'}"
        score = f"score {self.score:.4f} {said} {self.threshold:.4f}"
        return f"Prediction({self.source!r}, {score}, {verdict}, {regions}, {width} x {height})"

    def _repr_html_(self) -> str:
        return _shown("anomaly_html")(self)


@dataclass(frozen=True, slots=True)
class FindingScore:
    """One finding of one image.

    Attributes:
        name: The finding, as it was asked for.
        score: Similarity of the image to the finding's anchor, as the scoring mode defines it.
        probability: Calibrated probability that the finding is present, in [0, 1].
        threshold: Probabilities at or above it count as present, in [0, 1].
        no_map: Why its map, which it would get as it is present, is not shown unless asked for; else empty.
    """

    name: str
    score: float
    probability: float
    threshold: float
    no_map: str = ""

    @property
    def is_present(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; why there is no map only where there is a reason."""
        values = {
            "name": self.name,
            "score": round(self.score, 6),
            "probability": self.probability,
            "threshold": self.threshold,
            "is_present": self.is_present,
        }
        return values | ({"no_map": self.no_map} if self.no_map else {})


def map_name(finding: str) -> str:
    """Return what a finding's map is called beside the map ``"attention"``; every finding has its own.

    >>> map_name("mass"), map_name("attention"), map_name("map of attention")
    ('mass', 'map of attention', 'map of map of attention')
    """
    return f"map of {finding}" if finding == "attention" or finding.startswith("map of ") else finding


@dataclass(frozen=True, slots=True)
class Maps:
    """Which maps of findings to make.

    Attributes:
        way: How; None takes the model's, and none of findings where that was found to point no better than
            their mean place.
        below: Of all: also of those findings, of findings below their threshold, and of images unlike those
            of training.
    """

    way: MapName | None = None
    below: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FindingPrediction:
    """What the model says about the findings of one chest image.

    Attributes:
        source: As in :class:`Prediction`.
        findings: The findings asked for, the highest probability first.
        mode: How the scores were made, such as ``"pos-neg"``.
        provenance: Whether the anchors were made without sight of the names asked for, ``"train-only"``, or
            with it, ``"target-aware"``.
        maps: Where the evidence for a finding is, by the finding's name: 0.5 from where a picture is plainly
            coloured. Where the model looked, by ``"attention"``; a finding that is
            called so itself goes by :func:`map_name`. Each in [0, 1], at the image's own height and width.
            May lack any of them.
        image: As in :class:`Prediction`.
        is_familiar: Whether the image is like those that the model was trained on; of one that is not, the
            findings say nothing, and stand in the order asked for. None where that is not known.
        limitation: What the model's card says of its limits, in one line; empty if nothing.
    """

    source: str
    findings: tuple[FindingScore, ...]
    mode: str
    provenance: str
    maps: Mapping[str, Float32[np.ndarray, "height width"]]
    image: Image.Image | None = None
    is_familiar: bool | None = None
    limitation: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the maps as plain JSON values; what is not known is left out."""
        values: dict[str, Any] = {
            "source": self.source,
            "mode": self.mode,
            "provenance": self.provenance,
            "findings": [finding.to_dict() for finding in self.findings],
        }
        if self.is_familiar is not None:
            values["is_familiar"] = self.is_familiar
        return values | ({"limitation": self.limitation} if self.limitation else {})

    def to_json(self) -> str:
        """Return :meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())

    def heatmap(self, name: str | None = None) -> Image.Image:
        """Return a map as colours on the fixed scale.

        Args:
            name: A finding, or ``"attention"``; None takes the most probable finding that has a map.

        Raises:
            ConfigError: There is no such map.
        """
        return _shown("finding_heatmap")(self, name)

    def overlay(self, name: str | None = None) -> Image.Image:
        """Return the image with a map over it.

        Args:
            name: As for ``heatmap``.

        Raises:
            ConfigError: There is no such map.
            ImageReadError: The file is no longer there, or holds another image than it did.
        """
        return _shown("finding_overlay")(self, name)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the probabilities as bars, each with its threshold, with matplotlib, and return the axes.

        Args:
            ax: Where to draw; None makes a figure.

        Raises:
            MissingExtraError: Matplotlib is not installed.
        """
        return _shown("plot_findings")(self, ax)

    def save(self, folder: str | Path) -> Path:
        """Add this result to a folder of results, as ``zerosight predict --out`` writes them, and return it.

        Args:
            folder: A new folder, or one that results about the same findings were saved in before.

        Raises:
            OutputError: The folder cannot be written, or holds other results.
            ImageReadError: As ``overlay``.
        """
        return _shown("save_findings")(self, Path(folder))

    def __repr__(self) -> str:
        present = ", ".join(f"{one.name} {one.probability:.2f}" for one in self.findings if one.is_present)
        return (
            f"FindingPrediction({self.source!r}, {len(self.findings)} findings, "
            f"present: {present or 'none'}, {len(self.maps)} maps)"
        )

    def _repr_html_(self) -> str:
        return _shown("finding_html")(self)


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be read or scored.

    Attributes:
        source: As in :class:`Prediction`.
        error: One line that says why.
    """

    source: str
    error: str

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as plain JSON values."""
        return {"source": self.source, "error": self.error}

    def to_json(self) -> str:
        """Return :meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())


def _shown(name: str) -> Callable[..., Any]:
    """Return a function of what lies above."""
    return resolve_name(f"{SHOWING}:{name}")
