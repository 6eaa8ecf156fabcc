"""DICOM: from a file of a radiology department to a grey 8-bit image and nothing else.

Only the elements that describe pixels are parsed; names, dates and numbers of patients are skipped where
they stand, so that no image, error or log can hold them. What is burned into the pixels stays.

Read are single frames of MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB and YBR (colour by its ITU-R 601 luma)
in native, RLE, JPEG, JPEG 2000 and whichever other codings the installed decoders of pydicom know. Values of
1 to 16 bits become grey by :mod:`zerosight.data.dicom_display`.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8
from PIL import Image, UnidentifiedImageError
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
)

from zerosight.data.dicom_display import display_table, first_number, look_up
from zerosight.data.pixels import check_size, quiet, read_image
from zerosight.errors import ImageReadError, MissingExtraError

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

_LOGGERS = ("pydicom", "pylibjpeg", "openjpeg")
_PALETTE = [f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")]
_HEADER = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows"),
    *("Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue"),
    *("PixelPaddingRangeLimit", "RescaleIntercept", "RescaleSlope", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *(f"{name}{part}" for name in _PALETTE for part in ("Descriptor", "Data")),
)
_PIXELS = (
    *(*_HEADER, "PixelData", "FloatPixelData", "DoubleFloatPixelData"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)


class MissingDecoderError(MissingExtraError, ImageReadError):
    """An image is compressed in a way that no installed decoder knows; other images may be readable."""


def read_dicom(source: str | Path | bytes, *, max_pixels: int = 178_000_000) -> Image.Image:
    """Return the image of a DICOM file in mode L, without any metadata.

    Args:
        source: A file or its bytes; with the DICOM mark, or named ``.dcm`` or ``.dicom``.
        max_pixels: Images of more pixels are refused before they are decoded.

    Raises:
        ImageReadError: The file is missing, damaged, too large, of several frames, or holds no image that is
            read here.
        MissingDecoderError: Its compression needs a package that is not installed.
    """
    return read_image(source, max_pixels=max_pixels)


def decode_dicom(file: io.BufferedReader | io.BytesIO, max_pixels: int) -> Image.Image:
    """Return the image in an open DICOM file in mode L; errors do not name the file.

    Raises:
        ImageReadError: As :func:`read_dicom`.
    """
    with _silent():
        try:
            header = _read(file, _HEADER, stop_before_pixels=True)
            _check_header(header, max_pixels)
            file.seek(0)
            dataset = _read(file, _PIXELS)
            _check_pixels(dataset)
            return _image(dataset)
        except (ImageReadError, MemoryError):
            raise
        except Exception as error:  # its text may quote the file, which may hold anything
            kind = type(error).__name__
            raise ImageReadError(f"is a damaged DICOM file ({kind}); export it again") from None


def _read(
    file: io.BufferedReader | io.BytesIO, keywords: tuple[str, ...], *, stop_before_pixels: bool = False
) -> FileDataset:
    """Return the named elements of a file; one without the DICOM mark is taken for a bare data set."""
    dataset = dcmread(file, force=True, specific_tags=list(keywords), stop_before_pixels=stop_before_pixels)
    if not dataset.file_meta.get("TransferSyntaxUID"):
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _check_header(header: FileDataset, max_pixels: int) -> None:
    """Refuse what is not read here, before any pixel is decoded."""
    if header.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
        raise ImageReadError("is a deflated DICOM file, which is not read; export it in another coding")
    missing = [key for key in ("Rows", "Columns", "BitsAllocated") if first_number(header, key) is None]
    if missing:
        raise ImageReadError(f"is a DICOM file without an image (no {' and '.join(missing)}); give an X-ray")
    frames = int(first_number(header, "NumberOfFrames") or 1)
    if frames > 1:
        raise ImageReadError(f"holds {frames} frames; give files of one frame, as X-rays are")
    check_size(int(header.Columns), int(header.Rows), max_pixels)
    _complete(header)
    _check_coding(header)


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
    if not syntax.is_encapsulated:
        return
    try:
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as coded:
            size = coded.size
    except UnidentifiedImageError:
        return  # RLE and codings without a size to inflate
    if size != (dataset.Columns, dataset.Rows):
        raise ImageReadError(
            f"says {dataset.Columns} × {dataset.Rows} but holds {size[0]} × {size[1]} pixels"
        )


def _image(dataset: FileDataset) -> Image.Image:
    """Return the decoded pixels in grey."""
    pixels = _pixels(dataset)
    if dataset.PhotometricInterpretation in GREY:
        return Image.fromarray(_grey(dataset, pixels))
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = _paint(dataset, pixels)
    return Image.fromarray(np.ascontiguousarray(pixels)).convert("L")


def _paint(
    dataset: FileDataset, pixels: Integer[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the colours that numbers of a palette stand for."""
    colours = [look_up(dataset, name, pixels.astype(np.float64)) for name in _PALETTE]
    planes = [np.rint(255 * found / highest).clip(0, 255).astype(np.uint8) for found, highest in colours]
    return np.stack(planes, axis=-1)


def _pixels(dataset: FileDataset) -> np.ndarray:
    """Return the stored values, (H, W) or (H, W, 3); YBR as RGB."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise ImageReadError(
            f"is coded as {syntax.name}, which is not read; export it uncompressed"
        ) from None
    decoders = set(decoder.available_plugins) if syntax.is_encapsulated else {"native"}
    if syntax == JPEGExtended12Bit and dataset.BitsStored != 8:
        decoders.discard("pillow")  # which is there for this coding, but for 8 bits only
    if not decoders:
        raise MissingDecoderError(
            f"is coded as {syntax.name}, and needs a decoder; run: pip install 'zerosight[dicom]' python-gdcm"
        )
    return decoder.as_array(dataset, **as_pixel_options(dataset))[0]


def _grey(dataset: FileDataset, pixels: Integer[np.ndarray, "height width"]) -> np.ndarray:
    """Return the grey levels of stored values, by a table of those between the lowest and the highest."""
    low = int(pixels.min())
    places = pixels.astype(np.int32) - low
    counts = np.bincount(places.ravel())
    return display_table(dataset, np.arange(low, low + len(counts)), counts)[places]


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
