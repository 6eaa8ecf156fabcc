"""PNG files of pictures, to the pixel those that Pillow writes, in about half its time.

Pillow tries five filters on every row, which takes as long as packing the bytes. Here each row is written as
its difference to the one above, which for photographs is about as small: so are the files.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

MARK = b"\x89PNG\r\n\x1a\n"
_COLOUR = {"L": 0, "RGB": 2}
_UP = 2
_AT_ONCE = 1 << 18  # pixels


def save_png(picture: Image.Image, path: Path) -> None:
    """Write a picture as a PNG file of 8 bits, without metadata.

    Args:
        picture: Of mode RGB or L.
        path: The file, which is overwritten.

    Raises:
        OSError: It cannot be written.

    >>> path = getfixture("tmp_path") / "a.png"
    >>> save_png(Image.new("RGB", (3, 2), "red"), path)
    >>> Image.open(path).getpixel((2, 1))
    (255, 0, 0)
    """
    width, height = picture.size
    packer = zlib.compressobj(1)
    above = np.zeros(width * len(picture.getbands()), np.uint8)
    with path.open("wb") as file:
        file.write(MARK)
        _write_chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _COLOUR[picture.mode], 0, 0, 0))
        step = max(1, _AT_ONCE // width)
        for top in range(0, height, step):
            strip = picture.crop((0, top, width, min(top + step, height)))
            rows = np.asarray(strip).reshape(strip.height, -1)
            _write_chunk(file, b"IDAT", packer.compress(_filtered(rows, above).data))
            above = rows[-1]
        _write_chunk(file, b"IDAT", packer.flush())
        _write_chunk(file, b"IEND", b"")


def _filtered(
    rows: UInt8[np.ndarray, "height width"], above: UInt8[np.ndarray, "width"]
) -> UInt8[np.ndarray, "height filtered"]:
    """Return rows as differences to those above them, each after the number of that filter."""
    filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    np.subtract(rows[0], above, out=filtered[0, 1:])
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def _write_chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind + content)
    file.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))
