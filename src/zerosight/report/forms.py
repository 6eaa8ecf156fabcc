"""Forms: how each kind of prediction is laid out in a folder of results."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from zerosight.report.heatmap import outline, overlay
from zerosight.report.tables import AnyRow, FailedRow, Row, parse_row, write_csv
from zerosight.types import Prediction

PREVIEW_SIDE = 640
_LONGEST_NAME = 60  # characters, at most 240 bytes: a file name may have 255


@runtime_checkable
class ScoredLine(AnyRow, Protocol):
    """One line of predictions.jsonl about an image that was scored."""

    @property
    def files(self) -> dict[str, str]:
        """What was saved for it, by kind, relative to the folder."""


@runtime_checkable
class Form(Protocol):
    """How one kind of prediction is laid out in a folder of results."""

    def parse(self, line: bytes) -> ScoredLine | FailedRow:
        """Return a line of predictions.jsonl as a row, or raise ValueError."""

    def pictures(self, result: Any, photo: Image.Image) -> dict[str, Image.Image]:
        """Return the pictures to save of a prediction, by kind; ``photo`` is RGB, of the image's own size."""

    def place(self, kind: str, name: str) -> str:
        """Return where in the folder a picture goes, never outside it; ``name`` has no suffix."""

    def write_table(self, path: Path, rows: Iterable[Any]) -> None:
        """Write the rows as CSV."""


class AnomalyForm:
    """The layout of anomalies: heatmaps, outlines and previews."""

    def parse(self, line: bytes) -> Row:
        """Return a line as a row; see :func:`zerosight.report.tables.parse_row`."""
        return parse_row(line)

    def pictures(self, result: Prediction, photo: Image.Image) -> dict[str, Image.Image]:
        """Return heatmap, outline and preview."""
        return {
            "heatmap": overlay(photo, result.anomaly_map, result.pixel_threshold),
            "outline": outline(photo, result.anomaly_map, result.pixel_threshold, result.regions),
            "preview": preview(photo),
        }

    def place(self, kind: str, name: str) -> str:
        """Return a place in a folder per kind."""
        return f"{safe_name(kind)}s/{name}{'.jpg' if kind == 'preview' else '.png'}"

    def write_table(self, path: Path, rows: Iterable[Row]) -> None:
        """Write the rows with the columns of :data:`zerosight.report.tables.COLUMNS`."""
        write_csv(path, rows)


def preview(photo: Image.Image) -> Image.Image:
    """Return a small copy of a photo, for the report."""
    small = photo.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return small


def safe_name(source: str) -> str:
    """Return the source's file name without its suffix, reduced to letters, digits, ``-``, ``_`` and dots.

    >>> safe_name("line 3/../<b>screw 07.png")
    'b_screw_07'
    >>> safe_name("...")
    'image'
    """
    stem = unicodedata.normalize("NFC", Path(source).stem)
    return re.sub(r"[^\w.-]+", "_", stem)[:_LONGEST_NAME].strip("._-") or "image"
