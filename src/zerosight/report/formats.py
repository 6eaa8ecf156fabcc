"""Formats: how each kind of prediction is laid out in a folder of results."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

import numpy as np
from PIL import Image

from zerosight.choices import Pictures, RawMaps
from zerosight.files import part_of
from zerosight.report.heatmap import outline, overlay, with_colour_bar
from zerosight.report.png import save_png
from zerosight.report.rows import AnyRow, FailedRow, Row, parse_row, write_csv
from zerosight.types import Prediction

PREVIEW_SIDE = 640
QUALITY = 88
"""Of JPEG files."""
NUMBERS: tuple[str, ...] = get_args(RawMaps)
_LONGEST_NAME = 60  # characters, at most 240 bytes: a file name may have 255


@runtime_checkable
class ScoredLine(AnyRow, Protocol):
    """One line of predictions.jsonl about an image that was scored."""

    @property
    def files(self) -> dict[str, str]:
        """What was saved for it, by kind, relative to the folder."""

    @property
    def stamp(self) -> str:
        """What identifies the file it is about."""


@runtime_checkable
class Savable(Protocol):
    """A picture, or a document, that is saved under a name."""

    def save(self, path: Path, /, *, quality: int) -> None:
        """Write it; the option is that of JPEG."""


@runtime_checkable
class ResultFormat(Protocol):
    """How one kind of prediction is laid out in a folder of results."""

    def parse(self, line: bytes) -> ScoredLine | FailedRow:
        """Return a line of predictions.jsonl as a row, or raise ValueError."""

    def draws(self, result: Any) -> bool:
        """Return whether there is anything to save of a prediction."""

    def pictures(self, result: Any, photo: Image.Image) -> Iterator[tuple[str, Savable]]:
        """Yield what to save of a prediction, each with its kind, made when it is asked for.

        ``photo`` is RGB, of the image's own size.
        """

    def place(self, kind: str, name: str) -> str:
        """Return where in the folder a picture goes, never outside it; ``name`` has no suffix."""

    def is_shown(self, kind: str) -> bool:
        """Return whether a page shows it."""

    def write_table(self, path: Path, rows: Iterable[Any]) -> None:
        """Write the rows as CSV."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A map as numbers, for NumPy to read."""

    values: np.ndarray

    def save(self, path: Path, /, *, quality: int) -> None:
        """Write an .npy file, whatever the option of pictures."""
        with path.open("wb") as file:
            np.save(file, self.values, allow_pickle=False)


@dataclass(frozen=True, slots=True)
class AnomalyFormat:
    """The layout of anomalies: heatmaps, outlines and previews, and what else is asked for.

    Attributes:
        seen: Of which images to draw heatmaps, outlines and previews.
        bar: Whether heatmaps have a bar of the colours beside them.
        masks: Whether to save the pixels at or above the pixel threshold.
        maps: Whether to save maps as numbers, and how.
    """

    seen: Pictures = "all"
    bar: bool = False
    masks: bool = False
    maps: RawMaps | None = None

    def asked_for(self) -> dict[str, Any]:
        """Return what is saved beyond the usual, as JSON values."""
        return {name: value for name in ("bar", "masks", "maps") if (value := getattr(self, name))}

    def parse(self, line: bytes) -> Row:
        """Return a line as a row; see :func:`zerosight.report.rows.parse_row`."""
        return parse_row(line)

    def draws(self, result: Prediction) -> bool:
        """Return whether there is anything to save of a prediction."""
        return self.seen == "previews" or self._is_seen(result) or self.masks or self.maps is not None

    def pictures(self, result: Prediction, photo: Image.Image) -> Iterator[tuple[str, Savable]]:
        """Yield heatmap, outline and preview, and what else was asked for."""
        if self._is_seen(result):
            yield "heatmap", self._heatmap(result, photo)
            yield "outline", outline(photo, result.anomaly_map, result.pixel_threshold, result.regions)
        if self.seen == "previews" or self._is_seen(result):
            yield "preview", preview(photo)
        if self.masks:
            yield "mask", Image.fromarray(np.uint8(255) * (result.anomaly_map >= result.pixel_threshold))
        if self.maps is not None:
            values = result.anomaly_map.astype(np.float32, copy=False)
            yield self.maps, Numbers(values) if self.maps == "npy" else Image.fromarray(values)

    def _is_seen(self, result: Prediction) -> bool:
        return self.seen == "all" or (self.seen == "anomalous" and result.is_anomalous)

    def _heatmap(self, result: Prediction, photo: Image.Image) -> Image.Image:
        coloured = overlay(photo, result.anomaly_map, result.pixel_threshold)
        return with_colour_bar(coloured, result.pixel_threshold) if self.bar else coloured

    def place(self, kind: str, name: str) -> str:
        """Return a place in a folder per kind."""
        if kind in NUMBERS:
            return f"maps/{name}.{kind}"
        return f"{safe_name(kind)}s/{name}{'.jpg' if kind == 'preview' else '.png'}"

    def is_shown(self, kind: str) -> bool:
        """Return whether a page shows it: not masks, nor maps as numbers."""
        return kind not in (*NUMBERS, "mask")

    def write_table(self, path: Path, rows: Iterable[Row]) -> None:
        """Write the rows with the columns of :data:`zerosight.report.rows.COLUMNS`."""
        write_csv(path, rows)


def save(picture: Savable, path: Path) -> None:
    """Write a picture or a document in the format that its name says."""
    if isinstance(picture, Image.Image) and path.suffix == ".png":
        save_png(picture, path)
    else:
        picture.save(path, quality=QUALITY)


def preview(photo: Image.Image) -> Image.Image:
    """Return a small copy of a photo, for the report."""
    small = photo.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return small


def safe_name(source: str) -> str:
    """Return the source's file name without its suffix, reduced to letters, digits, ``-``, ``_`` and dots.

    >>> safe_name("line 3/../<b>screw 07.png")
    'b_screw_07'
    >>> safe_name("..."), safe_name("scan.tif#page=3"), safe_name("shard.tar#a/1.jpg")
    ('image', 'scan-page-3', 'shard-1')
    """
    part = part_of(Path(source))
    name = Path(source).stem
    if part:
        inner = Path(part.name).stem if part.name else f"{part.kind}-{part.number:g}"
        name = f"{part.file.stem}-{inner}"
    stem = unicodedata.normalize("NFC", name)
    return re.sub(r"[^\w.-]+", "_", stem)[:_LONGEST_NAME].strip("._-") or "image"


def unique_name(name: str) -> str:
    """Return a file name that no other name gets: a plain one as it is, any other with a hash behind it.

    >>> unique_name("pleural effusion")
    'pleural_effusion'
    >>> unique_name("lesion 1.5 cm") == unique_name("lesion 1.6 cm")
    False
    """
    if re.fullmatch(r"[a-z0-9]+(?:[ -][a-z0-9]+)*", name) and len(name) < _LONGEST_NAME:
        return name.replace(" ", "_")
    readable = re.sub(r"[^\w.-]+", "_", name)[: _LONGEST_NAME // 2].strip("._-")
    return f"{readable}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:12]}"
