"""Images in, predictions out, at the images' own size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8
from scipy import ndimage

from zerosight.data.ahead import read_ahead
from zerosight.models.card import ModelCard, Thresholds
from zerosight.preprocess import Preprocess, resize_map
from zerosight.reading import READERS, ImageLike, OnError, Read, Scored, read_batches
from zerosight.tiling import Tiling, score_tiled
from zerosight.types import Failure, Prediction, Region


@runtime_checkable
class Scorer(Protocol):
    """A compiled model: pixels in, scores and maps out. PyTorch is one; exported graphs are others."""

    @property
    def preprocess(self) -> Preprocess: ...

    def score(
        self, pixels: UInt8[np.ndarray, "batch size size 3"]
    ) -> tuple[Float32[np.ndarray, "batch"], Float32[np.ndarray, "batch size size"]]:
        """Return the anomaly score and the blurred map of every image, both in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What the model says of one image, at any size; nothing of an image that could not be read."""

    read: Read
    score: float
    anomaly_map: np.ndarray


class Predictor:
    """Scores images with a model. Holds no state between calls; threads may share one.

    Args:
        scorer: The model.
        card: Its card; the thresholds come from it.
        batch_size: Images or tiles per pass.
        tiling: How images larger than a tile are cut; None scores every image as a whole.

    Example:
        >>> import numpy as np
        >>> from zerosight.models.card import ModelCard
        >>> from zerosight.models.scorer import tiny_scorer
        >>> predictor = Predictor(tiny_scorer(), ModelCard(name="example"))
        >>> [prediction] = predictor.predict([np.zeros((30, 40, 3), np.uint8)])
        >>> prediction.anomaly_map.shape
        (30, 40)
    """

    def __init__(
        self, scorer: Scorer, card: ModelCard, batch_size: int = 8, tiling: Tiling | None = None
    ) -> None:
        self.scorer = scorer
        self.card = card
        self.batch_size = batch_size
        self.tiling = tiling

    def tiled(self, size: int | None = None, overlap: float = 0.25) -> Predictor:
        """Return a predictor that scores large images piece by piece (see :mod:`zerosight.tiling`).

        Args:
            size: Side of a tile in pixels of the image; None takes the model's input size.
            overlap: Least share of its side that a tile has in common with the next, in [0, 0.9].

        Raises:
            ConfigError: A value is out of its range.
        """
        tiling = Tiling(self.scorer.preprocess.size if size is None else size, overlap)
        return Predictor(self.scorer, self.card, self.batch_size, tiling)

    def predict(
        self,
        images: ImageLike | Iterable[ImageLike],
        *,
        threshold: float | None = None,
        pixel_threshold: float | None = None,
        on_error: OnError = "stop",
    ) -> Iterator[Prediction | Failure]:
        """Yield one result per image, in order.

        Args:
            images: Paths, PIL images, or arrays (height, width[, channel]) of uint8, uint16, or floats in
                [0, 1]; one or many. Read lazily, a few ahead.
            threshold: Scores at or above it are anomalous, in [0, 1]; None takes the model's.
            pixel_threshold: Map values at or above it form regions, in [0, 1]; None takes the model's.
            on_error: ``stop`` raises at the first image that cannot be read, ``skip`` yields a Failure.

        Raises:
            ImageReadError: An image cannot be read and ``on_error`` is ``stop``.
        """
        for scored in self.stream(
            images, threshold=threshold, pixel_threshold=pixel_threshold, on_error=on_error
        ):
            yield scored.result

    def stream(
        self,
        images: ImageLike | Iterable[ImageLike],
        *,
        threshold: float | None = None,
        pixel_threshold: float | None = None,
        on_error: OnError = "stop",
    ) -> Iterator[Scored[Prediction]]:
        """Yield every image together with its result; arguments as for :meth:`predict`."""
        chosen = self.card.thresholds.model_copy(
            update={
                key: value
                for key, value in (("image", threshold), ("pixel", pixel_threshold))
                if value is not None
            }
        )
        together = 1 if self.tiling else self.batch_size  # large images wait in memory one by one
        batches = read_batches(images, self.scorer.preprocess.pixels, together)

        def finish(found: _Found) -> Scored[Prediction]:
            read = found.read
            if read.image is None:
                if on_error == "stop" and read.error:
                    raise read.error
                return Scored(None, Failure(read.source, str(read.error)))
            own_size = resize_map(found.anomaly_map, (read.image.height, read.image.width))
            return Scored(read.image, prediction(read.source, found.score, own_size, chosen))

        # The model goes on with the next batch while the maps of this one are enlarged and outlined.
        yield from read_ahead(self._score(batches), finish, READERS, ahead=together)

    def _score(self, batches: Iterable[list[Read]]) -> Iterator[_Found]:
        """Yield every image with its score and its map, which tiles give at the image's own size."""
        scorer, nothing = self.scorer, np.zeros((1, 1), np.float32)
        for batch in batches:
            readable = [read.pixels for read in batch if read.pixels is not None]
            if readable and not self.tiling:
                found = iter(zip(*scorer.score(np.stack(readable)), strict=True))
            for read in batch:
                if read.image is None or read.pixels is None:
                    yield _Found(read, 0.0, nothing)
                elif self.tiling:
                    pair = score_tiled(
                        read.image, read.pixels, self.tiling, scorer.preprocess, scorer.score, self.batch_size
                    )
                    yield _Found(read, *pair)
                else:
                    score, anomaly_map = next(found)
                    yield _Found(read, float(score), anomaly_map)


def prediction(
    source: str, score: float, anomaly_map: Float32[np.ndarray, "height width"], thresholds: Thresholds
) -> Prediction:
    """Return the result for one image from its score and its map at its own size."""
    regions = find_regions(anomaly_map, thresholds.pixel)
    return Prediction(source, score, thresholds.image, thresholds.pixel, anomaly_map, regions)


def find_regions(anomaly_map: Float32[np.ndarray, "height width"], threshold: float) -> tuple[Region, ...]:
    """Return the 8-connected regions at or above a threshold, the highest peak first.

    >>> grid = np.zeros((4, 5), np.float32)
    >>> grid[1:3, 2:4] = 0.75
    >>> find_regions(grid, 0.5)
    (Region(box=(2, 1, 4, 3), area=4, peak=0.75),)
    """
    above = anomaly_map >= threshold
    rows, columns = (np.flatnonzero(above.any(axis)) for axis in (1, 0))
    if not len(rows):
        return ()
    top, left = int(rows[0]), int(columns[0])
    inner = np.s_[top : rows[-1] + 1, left : columns[-1] + 1]
    labels, count = ndimage.label(above[inner], structure=np.ones((3, 3)))
    index = np.arange(1, count + 1)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    peaks = ndimage.maximum(anomaly_map[inner], labels, index)
    regions = [
        Region((x.start + left, y.start + top, x.stop + left, y.stop + top), int(area), float(peak))
        for (y, x), area, peak in zip(ndimage.find_objects(labels), areas, peaks, strict=True)
    ]
    return tuple(sorted(regions, key=lambda region: (-region.peak, region.box)))
