"""DICOM: from a file of a radiology department to a grey 8-bit image and nothing else.

Only the elements that describe pixels are parsed; names, dates and numbers of patients are skipped where
they stand, so that no image, error or log can hold them. What is burned into the pixels stays.

Read is one frame at a time, of MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB and YBR (colour by its ITU-R 601
luma) in native, RLE, JPEG, JPEG 2000 and whichever other codings the installed decoders of pydicom know.
Values of 1 to 16 bits become grey by :mod:`zerosight.data.dicom_display`.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
from jaxtyping import Integer
from PIL import Image
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder  # type: ignore[attr-defined]
from pydicom.pixels.utils import as_pixel_options, get_expected_length
from pydicom.uid import UID

from zerosight.data.dicom_decoders import MissingDecoderError, decode_frame
from zerosight.data.dicom_display import display_table, first_number
from zerosight.data.dicom_frame import check_frame
from zerosight.data.dicom_palette import PALETTE_PARTS, palette_luma
from zerosight.data.limits import check_size, quiet
from zerosight.errors import ImageReadError
from zerosight.guarded.dicom import read_elements

__all__ = ["MissingDecoderError", "decode_dicom"]

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

_LOGGERS = ("pydicom", "pylibjpeg", "openjpeg")
_BESIDE = 64 * 2**20  # bytes that a file may hold beside its pixels
_MOST_BYTES = 2 * 2**30  # of a file, which is read whole
_COUNT = ("NumberOfFrames",)
_HEADER = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows"),
    *("Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue"),
    *("PixelPaddingRangeLimit", "RescaleIntercept", "RescaleSlope", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *PALETTE_PARTS,
)
_PIXELS = (
    *(*_HEADER, "PixelData", "FloatPixelData", "DoubleFloatPixelData"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)


def count_frames(file: io.BufferedReader | io.BytesIO) -> int:
    """Return how many frames an open DICOM file says that it has; 1 where it cannot be read."""
    try:
        with _silent():
            return max(
                1, int(first_number(read_elements(file, _COUNT, stop_before_pixels=True), *_COUNT) or 1)
            )
    except (
        Exception
    ):  # the parser raises anything at all on hostile bytes; who reads the file says what it is
        return 1


def decode_dicom(
    file: io.BufferedReader | io.BytesIO, max_pixels: int, frame: int | None = None
) -> Image.Image:
    """Return the image in an open DICOM file in mode L; errors do not name the file.

    Args:
        file: With the DICOM mark, or a bare data set.
        max_pixels: Images of more pixels are refused before they are decoded.
        frame: Which frame, from 1; None reads files of a single one.

    Raises:
        ImageReadError: The file is damaged, too large, of several frames of which none is named, or holds no
            image read here.
        MissingDecoderError: Its compression needs a package that is not installed.
    """
    with _silent():
        try:
            header = read_elements(file, _HEADER, stop_before_pixels=True)
            frames = _check_header(header, max_pixels, frame)
            _check_bytes(file, header, frames)
            dataset = read_elements(file, _PIXELS)
            _check_pixels(dataset)
            if frames > 1 and frame is not None:
                _keep_frame(dataset, frame - 1, frames)
            return _image(dataset)
        except (ImageReadError, MemoryError):
            raise
        except Exception as error:  # its text may quote the file, which may hold anything
            kind = type(error).__name__
            raise ImageReadError(f"is a damaged DICOM file ({kind}); export it again") from None


def _check_header(header: FileDataset, max_pixels: int, frame: int | None) -> int:
    """Refuse what is not read here, before any pixel is decoded; return the number of frames."""
    missing = [key for key in ("Rows", "Columns", "BitsAllocated") if first_number(header, key) is None]
    if missing:
        raise ImageReadError(f"is a DICOM file without an image (no {' and '.join(missing)}); give an X-ray")
    frames = int(first_number(header, "NumberOfFrames") or 1)
    if frame is None and frames > 1:
        raise ImageReadError(f"holds {frames} frames; name one of them, such as FILE#frame=1")
    if frame is not None and not 1 <= frame <= max(frames, 1):
        raise ImageReadError(f"has {max(frames, 1)} frames; frame {frame} is none of them")
    check_size(int(header.Columns), int(header.Rows), max_pixels)
    _complete(header)
    _check_coding(header)
    return frames


def _keep_frame(dataset: FileDataset, index: int, frames: int) -> None:
    """Make a data set of one frame of a data set of several."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    offsets = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    dataset.NumberOfFrames = 1
    if syntax.is_encapsulated:
        known = offsets if all(offsets) else None
        one = get_frame(dataset.PixelData, index, number_of_frames=frames, extended_offsets=known)
        dataset["PixelData"].value = encapsulate([one], has_bot=False)
    else:
        length = get_expected_length(dataset)
        one = dataset.PixelData[index * length : (index + 1) * length]
        dataset["PixelData"].value = one + b"\0" * (len(one) % 2)
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            del dataset[keyword]


def _check_bytes(file: io.BufferedReader | io.BytesIO, header: FileDataset, frames: int) -> None:
    """Refuse a file far larger than its pixels, before it is read into memory."""
    needed = (
        int(header.Rows) * int(header.Columns) * int(header.SamplesPerPixel) * int(header.BitsAllocated) // 8
    )
    size = file.seek(0, io.SEEK_END)
    needed *= max(frames, 1)
    if size > min(2 * needed + _BESIDE, _MOST_BYTES):
        raise ImageReadError(f"holds {size:,} bytes for {needed:,} bytes of pixels; export it again")


def _complete(header: FileDataset) -> None:
    """Fill in elements whose absence leaves one meaning."""
    defaults = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2" if header.get("SamplesPerPixel", 1) == 1 else "RGB",
        "BitsStored": header.BitsAllocated,
        "PixelRepresentation": 0,
        "PlanarConfiguration": 0,
    }
    for keyword, value in defaults.items():
        if header.get(keyword) in (None, ""):
            setattr(header, keyword, value)
    if header.get("HighBit") in (None, ""):
        header.HighBit = header.BitsStored - 1


def _check_coding(header: FileDataset) -> None:
    """Refuse numbers of bits and kinds of colour that are not read."""
    kind = header.PhotometricInterpretation
    samples, bits = int(header.SamplesPerPixel), int(header.BitsStored)
    if kind not in (*GREY, *COLOURS):
        raise ImageReadError(f"has a photometric interpretation that is not read; {', '.join(GREY)} are best")
    if samples != (1 if kind in (*GREY, "PALETTE COLOR") else 3):
        raise ImageReadError(f"has {samples} samples per pixel, which contradicts its photometric kind")
    if header.BitsAllocated not in (8, 16) or not 1 <= bits <= header.BitsAllocated:
        raise ImageReadError(
            f"stores {bits} of {int(header.BitsAllocated)} bits; 1 to 8 of 8 or 16 of 16 are read"
        )
    if int(header.HighBit) != bits - 1:
        raise ImageReadError(
            f"has its highest bit at {int(header.HighBit)}, not at {bits - 1}; export it again"
        )
    if samples == 3 and (header.BitsAllocated, bits) != (8, 8):
        raise ImageReadError("is a colour image of more than 8 bits; export it in grey")


def _check_pixels(dataset: FileDataset) -> None:
    """Refuse a file without pixels, and coded pixels of another size than the file says."""
    _complete(dataset)
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        raise ImageReadError("holds floating-point pixels, which are not read; export whole numbers")
    if not dataset.get("PixelData"):
        raise ImageReadError("is a DICOM file without an image (no PixelData); give an X-ray")
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if syntax.is_private or not syntax.is_transfer_syntax:
        raise ImageReadError("is coded in a private way that is not read; export it in another coding")


def _image(dataset: FileDataset) -> Image.Image:
    """Return the decoded pixels in grey."""
    pixels = _pixels(dataset)
    del dataset.PixelData  # decoded, and as large as the image
    if dataset.PhotometricInterpretation in GREY:
        return _through(pixels, partial(display_table, dataset))
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return _through(pixels, lambda values, _: palette_luma(dataset, values))
    grey = np.empty(pixels.shape[:2], np.uint8)
    for rows in _strips(pixels):
        grey[rows] = np.asarray(Image.fromarray(np.ascontiguousarray(pixels[rows])).convert("L"))
    return Image.fromarray(grey)


def _pixels(dataset: FileDataset) -> np.ndarray:
    """Return the stored values, (H, W) or (H, W, 3); YBR as RGB."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if not syntax.is_encapsulated:
        return get_decoder(syntax).as_array(dataset, **as_pixel_options(dataset))[0]
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    check_frame(dataset, frame)
    return decode_frame(dataset, frame)


def _through(
    pixels: Integer[np.ndarray, "height width"], table_of: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Image.Image:
    """Return stored values as grey levels, by a table of those between the lowest and the highest.

    Args:
        pixels: Of at most 16 bits.
        table_of: Returns the grey levels of ascending values, given how often each occurs.
    """
    low, high = int(pixels.min()), int(pixels.max())
    counts = np.zeros(high - low + 1, np.int64)
    for rows in _strips(pixels):
        counts += np.bincount(pixels[rows].astype(np.int32).ravel() - low, minlength=len(counts))
    table = table_of(np.arange(low, high + 1), counts)
    grey = np.empty(pixels.shape, np.uint8)
    for rows in _strips(pixels):
        grey[rows] = table[pixels[rows].astype(np.int32) - low]
    return Image.fromarray(grey)


def _strips(pixels: np.ndarray) -> Iterator[slice]:
    """Yield ranges of rows of about four million pixels, so that nothing is held twice at full size."""
    step = max(1, (1 << 22) // pixels.shape[1])
    return (slice(top, top + step) for top in range(0, len(pixels), step))


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what the decoders warn of and log, which may quote the file, to themselves; one file at a time."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    with quiet():
        levels = [logger.level for logger in loggers]
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
