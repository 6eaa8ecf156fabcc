"""The header of a coded frame, read before any decoder sees it.

A decoder believes the frame, not the file around it: a frame of 200 bytes may claim four billion pixels, or
128 bits per sample. Both end some decoders, and with them the process.

Source: ITU-T T.81, B.2.2 (JPEG frame header); ITU-T T.87, C.2.2 (JPEG-LS).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from zerosight.errors import ImageReadError

_FRAMES = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xDA)))  # markers without a length
_MARKERS = 1_000  # before the frame header


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What a coded frame says of itself.

    Attributes:
        bits: Per sample.
        width: In pixels.
        height: In pixels.
        samples: Per pixel.
    """

    bits: int
    width: int
    height: int
    samples: int


def check_frame(dataset: Dataset, frame: bytes) -> None:
    """Refuse a frame that is not what the file says, or of a variant that no decoder here reads.

    Args:
        dataset: The elements that describe the pixels.
        frame: The coded frame.

    Raises:
        ImageReadError: As above.
    """
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        header = frame_header(frame)
        if header is None:
            raise ImageReadError("is a damaged DICOM file (no frame header); export it again")
        _check_same(dataset, header.width, header.height)
        _check_samples(dataset, syntax, header)
    elif syntax in JPEG2000TransferSyntaxes or "JPEG 2000" in syntax.name or "JPEG2000" in syntax.name:
        try:
            with Image.open(io.BytesIO(frame), formats=("JPEG2000",)) as coded:  # noqa: TID251  # its header
                _check_same(dataset, *coded.size)
        except UnidentifiedImageError:
            raise ImageReadError("is a damaged DICOM file (no frame header); export it again") from None


def frame_header(frame: bytes) -> FrameHeader | None:
    """Return the header of a JPEG or JPEG-LS frame; None where it has none.

    >>> frame_header(b"\\xff\\xd8\\xff\\xf7\\0\\x0b\\x08\\0\\2\\0\\3\\1\\1\\x11\\0")
    FrameHeader(bits=8, width=3, height=2, samples=1)
    """
    if frame[:2] != b"\xff\xd8":
        return None
    place = 2
    for _ in range(_MARKERS):
        if place + 4 > len(frame) or frame[place] != 0xFF:
            return None
        marker = frame[place + 1]
        if marker == 0xFF or marker in _ALONE:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            if place + 10 > len(frame):
                return None
            bits, height, width, samples = struct.unpack_from(">BHHB", frame, place + 4)
            return FrameHeader(bits, width, height, samples)
        place += 2 + struct.unpack_from(">H", frame, place + 2)[0]
    return None


def _check_same(dataset: Dataset, width: int, height: int) -> None:
    if (width, height) != (dataset.Columns, dataset.Rows):
        raise ImageReadError(f"says {dataset.Columns} × {dataset.Rows} but holds {width} × {height} pixels")


def _check_samples(dataset: Dataset, syntax: UID, header: FrameHeader) -> None:
    """Refuse samples that the file does not speak of, and those that no decoder here reads."""
    if header.samples != dataset.SamplesPerPixel:
        raise ImageReadError(
            f"says {dataset.SamplesPerPixel} samples per pixel but holds {header.samples}; export it again"
        )
    eight = syntax in (JPEGBaseline8Bit, JPEGExtended12Bit)
    if eight and header.bits == 12:
        raise ImageReadError(
            "is coded in JPEG with 12 bits per sample, a kind that is not read; "
            "export it uncompressed or in JPEG 2000"
        )
    if syntax in JPEGLSTransferSyntaxes and {header.bits, int(dataset.BitsStored)} & {6, 7}:
        raise ImageReadError(
            "is coded in JPEG-LS with 6 or 7 bits per sample, a kind that is not read; "
            "export it uncompressed or in JPEG 2000"
        )
    if header.bits != 8 if eight else not 2 <= header.bits <= dataset.BitsAllocated:
        raise ImageReadError(f"is damaged: {header.bits} bits per sample cannot be; export it again")
