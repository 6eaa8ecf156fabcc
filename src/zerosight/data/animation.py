"""Animations: the frames of moving pictures (GIF, WebP, AVIF, ``.apng``), one at a time, as they are shown.

A frame is drawn over those before it, so a file is decoded from its beginning; who asks for the frames in
their order decodes each once.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from pathlib import Path

from PIL import Image, features

from zerosight.data.forward import Forward
from zerosight.data.limits import check_size, quiet
from zerosight.errors import ImageReadError
from zerosight.stores import fetch, is_address

SUFFIXES = frozenset((".gif", ".webp", ".avif", ".apng"))
_FORMATS = ("GIF", "WEBP", "PNG", *(("AVIF",) if features.check("avif") else ()))
_LARGEST = 256 * 2**20  # bytes of a file
_PIXELS = 70_000_000  # of a frame; decoders take 20 bytes for each


def holds(name: Path | str, kind: str) -> bool:
    """Return whether a part of a file, such as a ``frame``, is a frame of an animation.

    >>> holds("turn.GIF", "frame"), holds("study.dcm", "frame"), holds("turn.gif", "page")
    (True, False, False)
    """
    return kind == "frame" and Path(name).suffix.lower() in SUFFIXES


def count_frames(file: io.BufferedReader) -> int:
    """Return how many frames an open file has; 1 for what cannot be looked into, for its reader to report."""
    if file.seek(0, io.SEEK_END) > _LARGEST:
        return 2  # whose reader refuses it
    file.seek(0)
    try:
        with quiet(), Image.open(file, formats=_FORMATS) as image:  # noqa: TID251  # as in pixels
            return int(getattr(image, "n_frames", 1))
    except Exception:  # decoders raise anything at all on hostile bytes
        return 1


def read_frame(path: Path | str, number: int) -> Image.Image:
    """Return a frame as it is shown, decoded, in the mode that the decoder gives it.

    Args:
        path: The file, or its address.
        number: From 1.

    Raises:
        ImageReadError: It has fewer frames, or is too large.
        OSError: It cannot be read; decoders raise other errors as well.
    """
    known: tuple[int, int] | None = None
    if not is_address(path):
        status = os.stat(path)
        known = (status.st_size, status.st_mtime_ns)
    try:
        return _kept(str(path), known).get(number).copy()
    except IndexError:
        raise ImageReadError(f"has fewer frames; frame {number} is none of them") from None


@lru_cache(maxsize=2)
def _kept(name: str, known: tuple[int, int] | None) -> Forward[Image.Image]:
    """Return the frames of a file by its name, and size and time."""
    return Forward(lambda: _frames(name), lambda frame: 4 * frame.width * frame.height)


def _frames(name: str) -> Iterator[tuple[int, Image.Image]]:
    """Yield the frames, each with its number."""
    content = fetch(name) if is_address(name) else Path(name).read_bytes() if _is_small(name) else b""
    if not 0 < len(content) <= _LARGEST:
        raise ImageReadError(f"is empty or too large; at most {_LARGEST:,} bytes are read: make it a video")
    with quiet():
        image = Image.open(io.BytesIO(content), formats=_FORMATS)  # noqa: TID251  # as in pixels
    with image:
        check_size(image.width, image.height, _PIXELS)
        for number in count(1):
            with quiet():
                try:
                    image.seek(number - 1)
                except EOFError:
                    return
                image.load()
            yield number, image.copy()


def _is_small(name: str) -> bool:
    return os.stat(name).st_size <= _LARGEST
