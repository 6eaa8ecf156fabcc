"""Images of any origin, read a few ahead and handed on in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, Literal, TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from zerosight.data.ahead import read_ahead
from zerosight.data.pixels import read_image
from zerosight.errors import ImageReadError
from zerosight.types import Failure

ImageLike = str | Path | Image.Image | np.ndarray
OnError = Literal["stop", "skip"]
READERS = 4
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """One image as it was read, or why it could not be.

    Attributes:
        source: Its path, or ``"image 3"`` for the fourth array or PIL image.
        image: At its own size; None where it could not be read.
        pixels: As the model wants them; None likewise.
        error: None where it could be read.
    """

    source: str
    image: Image.Image | None
    pixels: UInt8[np.ndarray, "size size 3"] | None
    error: ImageReadError | None


@dataclass(frozen=True, slots=True, eq=False)
class Scored(Generic[R]):
    """One image with what was found; the image is None where it could not be read."""

    image: Image.Image | None
    result: R | Failure


def read_batches(
    images: ImageLike | Iterable[ImageLike],
    pixels: Callable[[Image.Image], np.ndarray],
    batch_size: int,
    workers: int = READERS,
) -> Iterator[list[Read]]:
    """Yield images in order, ``batch_size`` at a time; reading and resizing run ahead in threads.

    Args:
        images: Paths, PIL images, or arrays (height, width[, channel]) of uint8, uint16, or floats in [0, 1];
            one or many.
        pixels: The model's preprocessing.
        batch_size: At least 1.
        workers: Threads, at least 1; they change no result.
    """
    one = isinstance(images, str | Path | Image.Image | np.ndarray)
    many: Iterable[ImageLike] = [images] if one else images  # type: ignore[list-item,assignment]

    def read(numbered: tuple[int, ImageLike]) -> Read:
        index, image = numbered
        source = str(image) if isinstance(image, str | Path) else f"image {index}"
        try:
            opened = read_image(Path(image) if isinstance(image, str) else image)
            return Read(source, opened, pixels(opened), None)
        except ImageReadError as error:
            return Read(source, None, None, error)

    reads = read_ahead(enumerate(many), read, workers, ahead=2 * batch_size)
    while batch := list(islice(reads, batch_size)):
        yield batch
