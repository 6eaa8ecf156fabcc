"""Images in, predictions out, at the images' own size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image
from scipy import ndimage

from zerosight.models.card import ModelCard, Thresholds
from zerosight.preprocess import Preprocess, resize_map
from zerosight.reading import ImageLike, OnError, Read, read_batches
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
class Scored:
    """One image with what was found; the image is None where it could not be read."""

    image: Image.Image | None
    result: Prediction | Failure


class Predictor:
    """Scores images with a model. Holds no state between calls; threads may share one.

    Args:
        scorer: The model.
        card: Its card; the thresholds come from it.
        batch_size: Images per pass.

    Example:
        >>> import numpy as np
        >>> from zerosight.models.card import ModelCard
        >>> from zerosight.models.scorer import tiny_scorer
        >>> predictor = Predictor(tiny_scorer(), ModelCard(name="example"))
        >>> [prediction] = predictor.predict([np.zeros((30, 40, 3), np.uint8)])
        >>> prediction.anomaly_map.shape
        (30, 40)
    """

    def __init__(self, scorer: Scorer, card: ModelCard, batch_size: int = 8) -> None:
        self.scorer = scorer
        self.card = card
        self.batch_size = batch_size

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
    ) -> Iterator[Scored]:
        """Yield every image together with its result; arguments as for :meth:`predict`."""
        chosen = self.card.thresholds.model_copy(
            update={
                key: value
                for key, value in (("image", threshold), ("pixel", pixel_threshold))
                if value is not None
            }
        )
        for batch in read_batches(images, self.scorer.preprocess.pixels, self.batch_size):
            yield from self._finish(batch, chosen, on_error)

    def _finish(self, batch: list[Read], thresholds: Thresholds, on_error: OnError) -> Iterator[Scored]:
        pixels = [read.pixels for read in batch if read.pixels is not None]
        found = iter(zip(*self.scorer.score(np.stack(pixels)), strict=True)) if pixels else iter(())
        for read in batch:
            if read.image is None:
                if on_error == "stop" and read.error:
                    raise read.error
                yield Scored(None, Failure(read.source, str(read.error)))
                continue
            score, anomaly_map = next(found)
            own_size = resize_map(anomaly_map, (read.image.height, read.image.width))
            yield Scored(read.image, prediction(read.source, float(score), own_size, thresholds))


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
    labels, count = ndimage.label(anomaly_map >= threshold, structure=np.ones((3, 3)))
    if not count:
        return ()
    index = np.arange(1, count + 1)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    peaks = ndimage.maximum(anomaly_map, labels, index)
    boxes = ndimage.find_objects(labels)
    regions = [
        Region((box[1].start, box[0].start, box[1].stop, box[0].stop), int(area), float(peak))
        for box, area, peak in zip(boxes, areas, peaks, strict=True)
    ]
    return tuple(sorted(regions, key=lambda region: (-region.peak, region.box)))
