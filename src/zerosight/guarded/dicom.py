"""DICOM from strangers: the elements of a file, counted before they are parsed.

pydicom inflates a deflated file whole, and parses sequences that nobody asked for item by item; a file of
100 kB can keep it busy for minutes. So the coding is read from the first bytes alone, and the elements up to
the pixels are walked over, without a look at their values, and only so many of them.

Source: DICOM PS3.5, 7.1 (data elements), 7.5 (sequences), PS3.10, 7.1 (file meta information).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import dcmread  # noqa: TID251  # this is the door
from pydicom.dataset import FileDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from zerosight.errors import ImageReadError

MOST = 50_000
"""Elements and items before the pixels; a file of one frame has hundreds."""
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_META = 1 << 16  # bytes in which the coding is named
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = 0x7FE00008  # where the pixels begin
_BIG_ENDIAN, _IMPLICIT = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the first bytes of a file say.

    Attributes:
        syntax: Its transfer syntax; empty where none is named.
        offset: Where its data set begins.
    """

    syntax: str
    offset: int


def read_elements(
    file: io.BufferedReader | io.BytesIO, keywords: Sequence[str], *, stop_before_pixels: bool = False
) -> FileDataset:
    """Return the named elements of an open DICOM file; no other is parsed.

    Args:
        file: With the DICOM mark, or a bare data set; it is read from its start.
        keywords: Names of the elements.
        stop_before_pixels: Whether the pixels, and what follows them, are left alone.

    Raises:
        ImageReadError: It is deflated, or has more elements than any image.
        Exception: Whatever the parser raises on damaged bytes.
    """
    file.seek(0)
    beginning = read_beginning(file)
    if beginning.syntax == DeflatedExplicitVRLittleEndian:
        raise ImageReadError("is a deflated DICOM file, a kind that is not read; export it in another coding")
    check_elements(file, beginning)
    dataset = dcmread(file, force=True, specific_tags=list(keywords), stop_before_pixels=stop_before_pixels)
    if not dataset.file_meta.get("TransferSyntaxUID"):
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def read_beginning(file: io.BufferedReader | io.BytesIO) -> Beginning:
    """Return how a file is coded, from its file meta information; the file is left at its start."""
    head = file.read(_META)
    file.seek(0)
    place = 132 if head[128:132] == b"DICM" else 0
    syntax = ""
    while head[place : place + 2] == b"\2\0" and place + 12 <= len(head):
        element, kind = struct.unpack_from("<H2s", head, place + 2)
        long = kind in _LONG
        (length,) = struct.unpack_from("<I" if long else "<H", head, place + (8 if long else 6))
        place += 12 if long else 8
        if element == 0x10:
            syntax = head[place : place + length].decode("ascii", "replace").strip("\0 ")
        place += length
    return Beginning(syntax, place)


def check_elements(file: io.BufferedReader | io.BytesIO, beginning: Beginning) -> None:
    """Refuse a file with more elements and items before its pixels than any image has.

    What does not look like elements is left to the parser. The file is left at its start.

    Raises:
        ImageReadError: As above.
    """
    file.seek(beginning.offset)
    try:
        _walk(file, beginning)
    except struct.error:  # the end of the file
        pass
    finally:
        file.seek(0)


def _walk(file: io.BufferedReader | io.BytesIO, beginning: Beginning) -> None:
    """Go from element to element; into those of undefined length, over the others."""
    order = ">" if beginning.syntax == _BIG_ENDIAN else "<"
    first = file.read(6)
    file.seek(beginning.offset)
    explicit = first[4:6].isalpha() if not beginning.syntax else beginning.syntax != _IMPLICIT
    for _ in range(MOST):
        group, element = struct.unpack(f"{order}HH", file.read(4))
        tag = group << 16 | element
        if tag >= _PIXELS and group == 0x7FE0:
            return
        if tag in (_ITEM, _ITEM_END, _SEQUENCE_END) or not explicit:
            (length,) = struct.unpack(f"{order}I", file.read(4))
            inside = tag in (_ITEM, _ITEM_END, _SEQUENCE_END)
        else:
            kind, length = struct.unpack(f"{order}2sH", file.read(4))
            inside = kind == b"SQ"
            if kind in _LONG:
                (length,) = struct.unpack(f"{order}I", file.read(4))
        if length != _UNDEFINED and not inside:
            file.seek(length, io.SEEK_CUR)
    raise ImageReadError(
        f"holds more than {MOST:,} elements before its pixels, as no image does; export it again"
    )
