"""Images of any origin, read a few ahead and handed on in batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from zerosight.choices import OnError
from zerosight.data.ahead import HELD, LARGE, Room, read_ahead
from zerosight.data.find import find_images
from zerosight.data.pages import pages
from zerosight.data.pixels import bytes_of, read_image
from zerosight.errors import ConfigError, DataError, ImageReadError
from zerosight.stores import is_address, place
from zerosight.types import Failure

READERS = 4
KEPT = LARGE
"""Bytes of an image that waits; of a larger one only what the model wants does: it is drawn from its file."""
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """One image as it was read, or why it could not be.

    Attributes:
        index: Its place among the images of the call, from 0.
        source: Its path, or ``"image 3"`` for the fourth array or PIL image.
        image: At its own size; None where it could not be read, or is not kept.
        pixels: As the model wants them; None where it could not be read.
        error: None where it could be read.
        is_file: Whether the source is a file, and no array or PIL image.
        size: Height and width in pixels; None where it could not be read.
    """

    index: int
    source: str
    image: Image.Image | None
    pixels: UInt8[np.ndarray, "size size 3"] | None
    error: ImageReadError | None
    is_file: bool = True
    size: tuple[int, int] | None = None

    @property
    def kept(self) -> Image.Image | None:
        """The image where it cannot be read again, as it came from memory."""
        return None if self.is_file else self.image


Source = str | Path | Image.Image | np.ndarray
ImageLike = Source | Read
"""What stands for an image, or a folder of them; one that was read elsewhere is taken as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored(Generic[R]):
    """One image with what was found.

    Attributes:
        image: None where it could not be read, or is so large that it did not wait; see :meth:`photo`.
        result: What was found, or why nothing was.
        size: Height and width in pixels of an image that did not wait, None otherwise.
    """

    image: Image.Image | None
    result: R | Failure
    size: tuple[int, int] | None = None

    def with_photo(self) -> Scored[R]:
        """Return the same with its image, read again if need be; a failure if that is another one by now."""
        if self.image is not None or self.size is None:
            return self
        source = self.result.source  # type: ignore[union-attr]
        try:
            image = read_image(place(source))
        except ImageReadError as error:
            return Scored(None, Failure(source, str(error)))
        if (image.height, image.width) != self.size:
            return Scored(None, Failure(source, f"{source}: was replaced while it was read; run it again"))
        return Scored(image, self.result)


def read_batches(
    images: ImageLike | Iterable[ImageLike],
    pixels: Callable[[Image.Image], np.ndarray],
    batch_size: int,
    workers: int = READERS,
    *,
    whole: bool = True,
) -> Iterator[list[Read]]:
    """Yield images in order, ``batch_size`` at a time; reading and resizing run ahead in threads.

    A batch of large images is shorter, so that neither it nor what is read ahead takes more than about
    ``HELD`` bytes; nor does what is being decoded.

    Args:
        images: Files, folders, PIL images, or arrays (height, width[, channel]) of uint8, uint16, or floats
            in [0, 1]; one or many. A folder stands for all images in it, as :func:`find_images` finds them.
        pixels: The model's preprocessing.
        batch_size: At least 1.
        workers: Threads, at least 1; they change no result.
        whole: Whether to keep all images. Otherwise only what the model wants is kept of files whose images
            take more than ``KEPT`` bytes.
    """
    room = Room()
    one = isinstance(images, ImageLike)
    many: Iterable[ImageLike] = [images] if one else images  # type: ignore[list-item,assignment]

    def decode(index: int, source: str, image: Source, take: Callable[[int], None]) -> Read:
        is_file = isinstance(image, str | Path)
        opened = read_image(place(image) if isinstance(image, str) else image, before=take)
        kept = opened if whole or not is_file or bytes_of(opened) <= KEPT else None
        return Read(index, source, kept, pixels(opened), None, is_file, (opened.height, opened.width))

    def read(numbered: tuple[int, ImageLike]) -> Read:
        index, image = numbered
        if isinstance(image, Read):
            return image
        is_file = isinstance(image, str | Path)
        source = str(image) if is_file else f"image {index}"
        try:
            with room.share() as take:
                return decode(index, source, image, take)  # apart: it lets go of the image before the room
        except ImageReadError as error:
            return Read(index, source, None, None, error, is_file)

    reads = read_ahead(enumerate(unfolded(many)), read, workers, ahead=2 * batch_size, size=_held)
    batch: list[Read] = []
    taken = 0
    for found in reads:
        batch.append(found)
        taken += _held(found)
        if len(batch) == batch_size or taken >= HELD:
            yield batch
            batch, taken = [], 0
    if batch:
        yield batch


def in_pages(images: ImageLike | Iterable[ImageLike]) -> Iterator[ImageLike]:
    """Yield the images one by one: those of folders, and the pages and frames of files that hold several."""
    one = isinstance(images, ImageLike)
    many: Iterable[ImageLike] = [images] if one else images  # type: ignore[list-item,assignment]
    for image in unfolded(many):
        if isinstance(image, str | Path):
            whole = place(image)
            for page in pages(whole):
                yield image if page == whole else page  # as it was written: it is the source's name
        else:
            yield image


def unfolded(images: Iterable[ImageLike]) -> Iterator[ImageLike]:
    """Yield the images, for a folder those in it; one that gives none is itself what cannot be read."""
    for image in images:
        if not (isinstance(image, str | Path) and _is_folder(image)):
            yield image
            continue
        try:
            yield from find_images([image])
        except DataError:
            yield image


def _is_folder(image: str | Path) -> bool:
    """Return whether a name is that of a folder; an address in a store is, if it ends with a slash."""
    return str(image).endswith("/") if is_address(image) else os.path.isdir(image)


def single(image: ImageLike) -> ImageLike:
    """Return what names one image as it is.

    Raises:
        ConfigError: It is a folder, or several images.
    """
    if not isinstance(image, ImageLike):
        raise ConfigError(f"image: should be one file, PIL image or array, got a {type(image).__name__}")
    if isinstance(image, str | Path) and _is_folder(image):
        raise ConfigError(f"{image}: is a folder; predict_one takes one image, predict takes folders")
    if isinstance(image, str | Path):
        first = next(pages(place(image)))
        if first != place(image):
            raise ConfigError(f"{image}: holds several images; predict takes all, predict_one one: {first}")
    return image


def only(results: Iterable[R | Failure]) -> R:
    """Return the only result of a call that stops at an image which cannot be read."""
    [found] = results
    assert not isinstance(found, Failure)
    return found


def _held(read: Read) -> int:
    return bytes_of(read.image) + (0 if read.pixels is None else read.pixels.nbytes)


def check_threshold(name: str, value: float | None) -> None:
    """Refuse a threshold that no score can be compared with; None stands for the model's own.

    Raises:
        ConfigError: It is no number in [0, 1].
    """
    if value is not None and not 0 <= value <= 1:
        raise ConfigError(f"{name}: is a number from 0 to 1, got {value!r}")


def failure(read: Read, on_error: OnError) -> Failure:
    """Return the result for an image that could not be read.

    Args:
        read: The image.
        on_error: ``stop`` raises instead.

    Raises:
        ImageReadError: It is ``stop``.
    """
    if on_error == "stop" and read.error:
        raise read.error
    return Failure(read.source, str(read.error))


def score_readable(
    batch: Sequence[UInt8[np.ndarray, "size size 3"] | None],
    score: Callable[[UInt8[np.ndarray, "batch size size 3"]], Iterable[R]],
) -> list[R | None]:
    """Return what a model makes of every image of a batch, None where an image could not be read.

    Args:
        batch: Pixels of each image; None where it could not be read.
        score: Takes the readable images in one array, gives one result for each; not called if none is.

    Raises:
        ValueError: The model gives more or fewer results than it got images.

    >>> blank = np.zeros((8, 8, 3), np.uint8)
    >>> score_readable([blank, None, blank + 1], lambda pixels: pixels.max(axis=(1, 2, 3)).tolist())
    [0, None, 1]
    """
    found: list[R | None] = [None] * len(batch)
    readable = [(place, pixels) for place, pixels in enumerate(batch) if pixels is not None]
    if readable:
        results = score(np.stack([pixels for _, pixels in readable]))
        for (place, _), result in zip(readable, results, strict=True):
            found[place] = result
    return found
