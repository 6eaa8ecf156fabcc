"""Boxes of ChestX-ray14: where radiologists drew eight diseases on 880 of its images, 984 boxes in all.

The owners' BBox_List_2017.csv gives left, top, width and height in pixels of the images as they are
published, 1024 × 1024; as shares of that they fit copies of any size. torchxrayvision carries the list.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from zerosight.data.chest.names import canonical
from zerosight.data.layouts.chest.tables import carried
from zerosight.data.manifest import Dataset, Record
from zerosight.data.rows import Box
from zerosight.errors import DamagedError, DataError, MissingExtraError, one_line
from zerosight.guarded.archives import packed_text, short_lines

SIDE = 1024
"""Height and width of the published images, in pixels."""

_COPY = "BBox_List_2017.csv.gz"
Boxes = Mapping[str, Mapping[str, tuple[Box, ...]]]
"""By the image's name without its suffix, then by finding."""


def chestxray14_boxes(table: Path | None = None) -> Boxes:
    """Return all boxes.

    Args:
        table: The owners' list; None takes the copy in torchxrayvision.

    Raises:
        MissingExtraError: There is neither a list nor that package.
        DataError: The list cannot be read.
    """
    path = table or carried(_COPY)
    if path is None:
        raise MissingExtraError(
            "the boxes of ChestX-ray14 come with torchxrayvision: pip install 'zerosight[xray]', or name "
            "the owners' BBox_List_2017.csv"
        )
    found: dict[str, dict[str, tuple[Box, ...]]] = defaultdict(dict)
    for line, (image, finding, *cells) in _rows(path):
        name, own = canonical(finding), found[PurePosixPath(image).stem]
        own[name] = (*own.get(name, ()), _box(f"{path}:{line}", cells))
    return found


def with_boxes(dataset: Dataset, boxes: Boxes) -> Iterator[Record]:
    """Yield the rows of a data set, those whose image has boxes with their regions.

    Args:
        dataset: ChestX-ray14 or a part of it, its files named as the owners named them.
        boxes: From :func:`chestxray14_boxes`.
    """
    for record in dataset.records():
        own = boxes.get(PurePosixPath(record.image).stem, {})
        yield replace(record, regions={**record.regions, **own})


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and the six values of every row; the head names a list of four as one column."""
    try:
        with packed_text(path) as file:
            for line, cells in enumerate(csv.reader(short_lines(file)), start=1):
                if line == 1 and not cells[:2] == ["Image Index", "Finding Label"]:
                    raise DataError(f"{path}:1: should begin with Image Index,Finding Label")
                if line > 1 and any(cells):
                    if len(cells) < 6:
                        raise DataError(f"{path}:{line}: has {len(cells)} values, expected 6")
                    yield line, cells[:6]
    except (OSError, DamagedError) as error:
        reason = getattr(error, "strerror", None) or one_line(str(error), 120)
        raise DataError(f"{path}: cannot be read ({reason})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a CSV table in UTF-8 ({one_line(str(error), 120)})") from None


def _box(place: str, cells: list[str]) -> Box:
    """Return a box as shares of the image, cut off at its edges."""
    try:
        left, top, width, height = (float(cell) / SIDE for cell in cells)
    except ValueError:
        raise DataError(f"{place}: should end in four numbers, left, top, width and height") from None
    box = tuple(min(max(edge, 0.0), 1.0) for edge in (left, top, left + width, top + height))
    if not (box[0] < box[2] and box[1] < box[3]):
        raise DataError(f"{place}: a box of width {cells[2]} and height {cells[3]} has no area")
    return box[0], box[1], box[2], box[3]
