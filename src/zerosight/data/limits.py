"""What every reader of pixels keeps to: how many pixels, and no warnings of decoders."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from zerosight.errors import ImageReadError

MOST_PIXELS = 178_000_000
"""Of an image, unless told otherwise."""
_WARNING_FILTERS = threading.Lock()  # Python keeps one list of them per process


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse an image without pixels, or with too many.

    Raises:
        ImageReadError: As above.
    """
    if width * height == 0:
        raise ImageReadError(f"has no pixels ({width} × {height})")
    if width * height > max_pixels:
        raise ImageReadError(f"is too large: {width} × {height} pixels, at most {max_pixels:,} are read")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the decoders' warnings from the user.

    One block runs at a time; what decodes without a warning runs outside, so that threads overlap.
    """
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
