"""Videos: one picture at a time, by the second at which it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from zerosight.errors import DataError, ImageReadError, MissingExtraError, one_line

SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts"))
_MOST = 1_000_000  # pictures of a video


class MissingVideoError(MissingExtraError, ImageReadError):
    """A video cannot be read for want of a package; other images may be readable."""


def moments(path: Path, every: float) -> Iterator[Path]:
    """Yield the names of a video's pictures, such as ``clip.mp4#t=2.0``, from its beginning to its end.

    Args:
        path: The video.
        every: Seconds from one picture to the next, above 0.

    Raises:
        ImageReadError: It cannot be read.
        MissingVideoError: The package that reads videos is not installed.
    """
    if not every > 0:
        raise DataError(f"every: is a time above 0 seconds, got {every}")
    with _opened(path) as (container, stream):
        length = _length(container, stream)
    for number in range(min(_MOST, max(1, round(length / every + 0.4999)))):
        yield Path(f"{path}#t={round(number * every, 6)}")


def read_moment(path: Path, seconds: float) -> Image.Image:
    """Return the picture that a video shows at a time, upright, in RGB.

    Args:
        path: The video.
        seconds: From its beginning.

    Raises:
        ImageReadError: It cannot be read, or is shorter.
        MissingVideoError: The package that reads videos is not installed.
    """
    with _opened(path) as (container, stream):
        start = float((stream.start_time or 0) * stream.time_base)
        container.seek(round((start + seconds) / stream.time_base), stream=stream)
        shown = None
        for frame in container.decode(stream):
            if frame.time is not None and frame.time - start > seconds + 1e-6 and shown is not None:
                break
            shown = frame
        if shown is None or seconds > max(_length(container, stream), 1e-6):
            raise ImageReadError(f"is shorter than {seconds:g} seconds")
        image: Image.Image = shown.to_image()
        return image.rotate(shown.rotation, expand=True) if shown.rotation else image


def _length(container: Any, stream: Any) -> float:
    """Return how many seconds a video lasts, 0 where it does not say."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return float(container.duration or 0) / 1e6


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video and its first stream of pictures."""
    try:
        import av
    except ImportError:
        raise MissingVideoError("videos need PyAV; run: pip install 'zerosight[video]'") from None
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ImageReadError("is no video: it holds no pictures")
            yield container, container.streams.video[0]
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise ImageReadError(
            f"is a damaged video, or of a kind that is not read ({one_line(str(error), 80)})"
        ) from None
