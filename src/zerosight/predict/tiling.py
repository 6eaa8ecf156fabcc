"""Images much larger than a model's input, scored piece by piece so that small defects do not vanish.

Overlapping tiles find what is small, the whole image what is large. The tiles' maps are blended with a smooth
window; of them and of the whole image's map the larger value counts, pixel by pixel. The score is the largest
of the whole image's and of all tiles'. With many tiles the largest is larger on normal images too: choose the
thresholds with the same tiling.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from zerosight.errors import ConfigError
from zerosight.preprocess import Preprocess

SMALLEST, MOST_OVERLAP = 16, 0.9
FLOOR = 1e-3

Box = tuple[int, int, int, int]
Score = Callable[
    [UInt8[np.ndarray, "batch size size 3"]],
    tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]],
]


@dataclass(frozen=True, slots=True)
class Tiling:
    """How an image is cut.

    Attributes:
        size: Side of a tile in pixels of the image, at least 16.
        overlap: Least share of its side that a tile has in common with the next, in [0, 0.9].

    Raises:
        ConfigError: A value is out of its range.
    """

    size: int
    overlap: float = 0.25

    def __post_init__(self) -> None:
        if self.size < SMALLEST:
            raise ConfigError(f"tile: should be at least {SMALLEST} pixels, got {self.size}")
        if not 0 <= self.overlap <= MOST_OVERLAP:
            raise ConfigError(f"overlap: should be in [0, {MOST_OVERLAP}], got {self.overlap}")

    def boxes(self, width: int, height: int) -> list[Box]:
        """Return the tiles (left, top, right, bottom), row by row; none where the image is one tile.

        >>> Tiling(100, 0.5).boxes(200, 80)
        [(0, 0, 100, 80), (50, 0, 150, 80), (100, 0, 200, 80)]
        """
        if max(width, height) <= self.size:
            return []
        wide, high = min(self.size, width), min(self.size, height)
        return [
            (left, top, left + wide, top + high)
            for top in self._starts(height)
            for left in self._starts(width)
        ]

    def _starts(self, length: int) -> list[int]:
        """Return where tiles begin along one side, evenly from edge to edge."""
        step = max(1, math.floor(self.size * (1 - self.overlap)))
        gaps = math.ceil(max(0, length - self.size) / step)
        return [round(i * (length - self.size) / gaps) for i in range(gaps + 1)] if gaps else [0]


def score_tiled(
    image: Image.Image,
    whole: UInt8[np.ndarray, "size size 3"],
    tiling: Tiling,
    preprocess: Preprocess,
    score: Score,
    batch_size: int,
) -> tuple[float, Float32[np.ndarray, "height width"]]:
    """Return an image's score and its map at its own size.

    In memory are two maps of the image's size and one batch of tiles, however many tiles there are.

    Args:
        image: At its own size.
        whole: The whole image as the model wants it.
        tiling: How it is cut.
        preprocess: Constants of the model.
        score: The model.
        batch_size: Tiles per pass.
    """
    scores, maps = score(whole[None])
    coarse = preprocess.unfit(maps[0], (image.height, image.width))
    boxes = tiling.boxes(image.width, image.height)
    if not boxes:
        return float(scores[0]), coarse
    blended = np.zeros((image.height, image.width), np.float32)
    best = float(scores[0])
    for box, tile_score, tile_map in _score_tiles(image, boxes, preprocess, score, batch_size):
        left, top, right, bottom = box
        own_size = preprocess.unfit(tile_map, (bottom - top, right - left))
        own_size *= _window(bottom - top)[:, None]
        own_size *= _window(right - left)
        blended[top:bottom, left:right] += own_size
        best = max(best, tile_score)
    blended /= _total({(box[1], box[3]) for box in boxes}, image.height)[:, None]
    blended /= _total({(box[0], box[2]) for box in boxes}, image.width)
    return best, np.maximum(blended, coarse, out=blended)


def _score_tiles(
    image: Image.Image, boxes: list[Box], preprocess: Preprocess, score: Score, batch_size: int
) -> Iterator[tuple[Box, float, np.ndarray]]:
    for first in range(0, len(boxes), batch_size):
        some = boxes[first : first + batch_size]
        found = score(np.stack([preprocess.pixels(image.crop(box)) for box in some]))
        for box, tile_score, tile_map in zip(some, *found, strict=True):
            yield box, float(tile_score), tile_map


def _window(length: int) -> Float32[np.ndarray, "length"]:
    """Return a tile's weight along one side: large in its middle, never zero."""
    wave = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    return (wave + FLOOR).astype(np.float32)


def _total(spans: set[tuple[int, int]], length: int) -> Float32[np.ndarray, "length"]:
    """Return the sum of the windows along one side: the grid is a product, so is the sum of its windows."""
    total = np.zeros(length, np.float32)
    for start, stop in spans:
        total[start:stop] += _window(stop - start)
    return total
