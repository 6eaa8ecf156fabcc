"""What Pillow leaves out of TIFF: how deep samples are, which end is white, how many pages there are.

Pillow unpacks 12-bit samples into 16 bits without a word of their depth, forgets that zero may be white in
samples of more than 8 bits, and does not know 10, 14 or half-precision samples at all. Those are unpacked
here where they lie plain or deflated in strips of one grey channel.

Source: TIFF 6.0, sections 3 (bilevel and grey) and 19 (data sample format).
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import TiffImagePlugin

from zerosight.data.limits import check_size
from zerosight.errors import ImageReadError

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL = 256, 257, 258, 259, 262, 266
_OFFSETS, _SAMPLES, _ROWS, _COUNTS, _PREDICTOR, _FORMAT = 273, 277, 278, 279, 317, 339
_PLAIN, _DEFLATED = 1, (8, 32946)
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_UNSIGNED, _FLOAT = 1, 3
_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Samples:
    """How a grey image is stored.

    Attributes:
        bits: Per sample.
        white_is_zero: Whether the lowest value is white.
    """

    bits: int
    white_is_zero: bool


def samples_of(tags: Any) -> Samples:
    """Return how samples are stored, from a file's tags as Pillow reads them."""
    bits = tags.get(_BITS, (1,))
    return Samples(
        int(bits[0] if isinstance(bits, tuple) else bits), tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    )


def count_pages(file: io.BufferedReader | io.BytesIO) -> int:
    """Return how many pages a TIFF file has, at most 10,000; the file is left at its start."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    seen: set[int] = set()
    try:
        (place,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", head, 8 if big else 4)
        while place and place not in seen and len(seen) < _MOST_PAGES:
            seen.add(place)
            file.seek(place)
            (count,) = struct.unpack(f"{order}{'Q' if big else 'H'}", file.read(8 if big else 2))
            file.seek(place + (8 + 20 * count if big else 2 + 12 * count))
            (place,) = struct.unpack(f"{order}{'Q' if big else 'I'}", file.read(8 if big else 4))
    except (struct.error, OverflowError, ValueError, OSError):
        pass
    file.seek(0)
    return max(1, len(seen))


def read_grey(
    file: io.BufferedReader | io.BytesIO, max_pixels: int, page: int = 1
) -> UInt8[np.ndarray, "height width"]:
    """Return the grey levels of a page, from 1, of a TIFF file that Pillow does not know, white at 255.

    Raises:
        ImageReadError: The file is damaged, too large, or of a kind that is not read here either.
    """
    file.seek(0)
    head = file.read(8)
    if head[2:4] in (b"+\0", b"\0+"):
        head += file.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(head)
    for _ in range(page):
        file.seek(tags.next)
        tags.load(file)
    width, height = int(tags.get(_WIDTH, 0)), int(tags.get(_HEIGHT, 0))
    check_size(width, height, max_pixels)
    kind = samples_of(tags)
    is_float = tags.get(_FORMAT, (_UNSIGNED,))[0] == _FLOAT
    _check_kind(tags, kind, is_float)
    row = (width * kind.bits + 7) // 8
    data = _strips(file, tags, row * height)
    order = "<" if head[:2] == b"II" else ">"
    grey = np.empty((height, width), np.uint8)
    step = max(1, (1 << 20) // width)
    for top in range(0, height, step):
        rows = np.frombuffer(data, np.uint8, min(step, height - top) * row, top * row).reshape(-1, row)
        values = (
            rows.view(f"{order}f{kind.bits // 8}").astype(np.float32)
            if is_float
            else _unpack(rows, width, kind.bits)
        )
        grey[top : top + step] = _levels(values)
    return 255 - grey if kind.white_is_zero else grey


def _check_kind(tags: Any, kind: Samples, is_float: bool) -> None:
    """Refuse what is not read here."""
    compression = tags.get(_COMPRESSION, _PLAIN)
    depth = kind.bits in (16, 32, 64) if is_float else 8 < kind.bits <= 16
    plain = compression == _PLAIN or compression in _DEFLATED
    grey = tags.get(_SAMPLES, 1) == 1 and tags.get(_PHOTOMETRIC) in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    stored = _OFFSETS in tags and tags.get(_PREDICTOR, 1) == 1 and tags.get(_FILL, 1) == 1
    if not (depth and plain and grey and stored):
        word = "floating-point bits" if is_float else "bits"
        raise ImageReadError(
            f"is a TIFF of {kind.bits} {word} per sample, compression {compression}, a kind that is "
            "not read; save it with 8 or 16 bits per sample"
        )


def _strips(file: io.BufferedReader | io.BytesIO, tags: Any, needed: int) -> bytearray:
    """Return the packed rows of all strips."""
    data = bytearray()
    packed = tags.get(_COMPRESSION, _PLAIN) != _PLAIN
    for offset, count in zip(tags[_OFFSETS], tags.get(_COUNTS, (needed,)), strict=True):
        if len(data) >= needed:
            break
        file.seek(offset)
        strip = file.read(min(count, needed) if not packed else count)
        data += zlib.decompressobj().decompress(strip, needed - len(data)) if packed else strip
    if len(data) < needed:
        raise ImageReadError("is damaged (its pixels are cut short); replace the file")
    return data


def _unpack(rows: UInt8[np.ndarray, "rows bytes"], width: int, bits: int) -> Float[np.ndarray, "rows width"]:
    """Return packed whole numbers as shares of the largest."""
    every = np.unpackbits(rows, axis=1)[:, : width * bits].reshape(len(rows), width, bits)
    values = every @ (1 << np.arange(bits - 1, -1, -1)).astype(np.float32)
    return values / np.float32((1 << bits) - 1)


def _levels(values: Float[np.ndarray, "rows width"]) -> UInt8[np.ndarray, "rows width"]:
    if not np.isfinite(values).all() or values.min() < -1e-5 or values.max() > 1 + 1e-5:
        raise ImageReadError("holds NaN or values beyond 0…1; floats should be in [0, 1]")
    return np.rint(values.clip(0, 1) * 255).astype(np.uint8)
