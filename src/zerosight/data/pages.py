"""Pages: files that hold several images, each image by a name of its own.

==================  ============================================
file                names
==================  ============================================
TIFF                ``scan.tif#page=1``, ``scan.tif#page=2``
DICOM, GIF …        ``study.dcm#frame=1``, ``turn.gif#frame=1``
video               ``clip.mp4#t=0.0``, ``clip.mp4#t=1.0``
tar, Parquet, Arrow :mod:`zerosight.data.shards`
==================  ============================================

Whatever reads or identifies an image takes these names (:func:`zerosight.files.part_of`). A file of one image
keeps its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zerosight.data import animation, shards, tiff, video
from zerosight.data.find import SUFFIXES
from zerosight.data.pixels import DICOM_SUFFIXES, has_dicom_mark
from zerosight.data.tables import AT_ONCE
from zerosight.errors import ImageReadError, MissingExtraError
from zerosight.stores import BLOCK, StoreError, opened, place

EVERY = 1.0
"""Seconds from one picture of a video to the next, where nobody said: our default."""
_ALONE = SUFFIXES - DICOM_SUFFIXES - animation.SUFFIXES - {".tif", ".tiff"}


def pages(path: Path | str, every: float = EVERY) -> Iterator[Path | str]:
    """Yield the names of the images in a file.

    What cannot be looked into is one image, for its reader to report.

    Args:
        path: A file, or an address in a store; only its beginning is read (of an animation the whole), and
            nothing where its name is that of a single image.
        every: Seconds from one picture of a video to the next.
    """
    path = place(path)
    suffix = Path(path).suffix.lower()
    if suffix in _ALONE:
        yield path
    elif shards.is_shard(path):
        yield from _in_shard(path)
    elif suffix in video.SUFFIXES:
        try:
            yield from video.moments(Path(path), every)
        except ImageReadError:
            yield Path(f"{path}#t=0.0")  # of stores as well, whose videos are not read
    else:
        kind, count = _count(path)
        if count == 1:
            yield path
        for number in range(1, count + 1) if count > 1 else ():
            name = f"{path}#{kind}={number}"
            yield name if isinstance(path, str) else Path(name)


def _in_shard(path: Path | str) -> Iterator[Path | str]:
    """Yield the names of a shard's images, and its own where it is damaged or has none."""
    nothing = True
    try:
        for name in shards.names_in(path, _is_image):
            nothing = False
            yield place(f"{path}#{name}")
    except (ImageReadError, StoreError):
        nothing = True
    if nothing:
        yield path


def _is_image(name: str) -> bool:
    """Return whether a file in an archive is an image by its name, and not hidden."""
    last = name.rsplit("/", 1)[-1]
    return not last.startswith(".") and Path(last).suffix.lower() in SUFFIXES


def _count(path: Path | str) -> tuple[str, int]:
    """Return what the images in a file are called, and how many they are."""
    try:
        moving = Path(path).suffix.lower() in animation.SUFFIXES
        with opened(path, AT_ONCE if moving else BLOCK) if isinstance(path, str) else path.open("rb") as file:
            if has_dicom_mark(file) or Path(path).suffix.lower() in DICOM_SUFFIXES:
                from zerosight.data.dicom import (
                    count_frames,
                )  # here, so that only DICOM pays for its packages

                return "frame", count_frames(file)
            if moving:
                return "frame", animation.count_frames(file)
            head = file.read(4)
            return "page", tiff.count_pages(file) if head in tiff.MARKS else 1
    except (OSError, ValueError, StoreError, MissingExtraError):
        return "page", 1
