"""Pixels: from whatever claims to be an image to a decoded PIL image, or one clear error.

The models' transform resizes *before* it converts to RGB, which matters for palette and alpha images, so an
image keeps its mode wherever that transform can handle it:

====================================  ==========================================================
mode of the file                      mode returned
====================================  ==========================================================
RGB, L, RGBA, P                       unchanged
1                                     L
LA, La, PA, RGBa                      RGBA
CMYK, YCbCr, LAB, HSV, RGBX           RGB
I;16 (any byte order), I              L: round(v / 257), so 65,535 becomes 255; outside is an error
F                                     L: round(255 · v), v in [0, 1]; outside or NaN is an error
====================================  ==========================================================

No value is stretched per image: a dark 16-bit picture stays dark, and one pixel never changes the others.

A DICOM file, known by its mark rather than by its name, gives an L image as :mod:`zerosight.data.dicom` says.
"""

from __future__ import annotations

import io
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from zerosight.errors import ImageReadError, MissingExtraError

FORMATS = ("PNG", "JPEG", "JPEG2000", "BMP", "GIF", "TIFF", "WEBP", "PPM")
DICOM_SUFFIXES = frozenset((".dcm", ".dicom"))
_ALLOWED = "PNG, JPEG, JPEG 2000, BMP, GIF, TIFF, WebP, PNM or DICOM"
_ROUNDING = 1e-5  # how far interpolation in float32 may push a value out of [0, 1]
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WARNING_FILTERS = threading.Lock()  # Python keeps one list of them per process


def read_image(
    source: str | Path | bytes | Image.Image | np.ndarray, *, max_pixels: int = 178_000_000
) -> Image.Image:
    """Return a fully decoded, upright image of mode RGB, L, RGBA or P that shares nothing with its source.

    Args:
        source: A file, the bytes of a file, a PIL image, or an array: (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4) of uint8, uint16 (rounded to 8 bits by 1/257) or float in [0, 1]. An animation gives
            its first frame.
        max_pixels: Images of more pixels are refused before they are decoded. Pillow itself refuses files
            of more than twice its ``Image.MAX_IMAGE_PIXELS``, 178,956,970 pixels.

    Raises:
        ImageReadError: The source is missing, unreadable, damaged, too large, empty or no raster image.
        MissingExtraError: A DICOM file is compressed in a way that needs another package.

    >>> read_image(np.zeros((4, 6), np.uint8)).size
    (6, 4)
    """
    name = _name(source)
    try:
        if isinstance(source, np.ndarray):
            return _from_array(source, max_pixels)
        if isinstance(source, Image.Image):
            return _decode(source, max_pixels)
        with _open(source, max_pixels) as image:
            return _decode(image, max_pixels)
    except MissingExtraError as error:
        raise type(error)(f"{name}: {error}") from None
    except Exception as error:  # the decoders raise anything at all on hostile bytes
        raise ImageReadError(f"{name}: {_reason(error, max_pixels)}") from None


def one_line(text: str, limit: int = 300) -> str:
    r"""Return the text with control characters and line breaks blanked, and its middle cut beyond the limit.

    >>> one_line("a\nb\x1b[31m")
    'a b [31m'
    """
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= limit else f"{clean[: limit // 2]}…{clean[-limit // 2 :]}"


def _name(source: str | Path | bytes | Image.Image | np.ndarray) -> str:
    """Return what to call the source in an error."""
    if isinstance(source, str | Path):
        return one_line(str(source)) or "''"
    if isinstance(source, bytes):
        return "image bytes"
    return "array" if isinstance(source, np.ndarray) else "PIL image"


def _reason(error: Exception, max_pixels: int) -> str:
    """Return in one line what is wrong with the image, and what to do."""
    if isinstance(error, ImageReadError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return f"is not an image, or its header is damaged; allowed are {_ALLOWED}"
    if isinstance(error, Image.DecompressionBombError):
        return f"is too large; at most {max_pixels:,} pixels are read"
    if isinstance(error, MemoryError):
        return "does not fit in memory; make the image smaller"
    if isinstance(error, OSError):
        return f"cannot be read ({one_line(error.strerror or str(error))}); check or replace the file"
    return f"is damaged ({one_line(f'{type(error).__name__}: {error}')}); replace the file"


def has_dicom_mark(file: io.BufferedReader | io.BytesIO) -> bool:
    """Return whether an open file is marked as DICOM; the file is left at its start."""
    file.seek(128)
    mark = file.read(4)
    file.seek(0)
    return mark == b"DICM"


def _open(source: str | Path | bytes, max_pixels: int) -> Image.Image:
    """Return the image in a file or its bytes, not yet decoded if it is no DICOM file."""
    if isinstance(source, bytes):
        if not source:
            raise ImageReadError("is empty (0 bytes)")
        content = io.BytesIO(source)
        return _from_dicom(content, max_pixels) if has_dicom_mark(content) else _identify(content)
    path = Path(source)
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ImageReadError("is a folder; give an image file")
    if not stat.S_ISREG(status.st_mode):
        raise ImageReadError("is not a regular file; give an image file")
    if status.st_size == 0:
        raise ImageReadError("is empty (0 bytes); replace the file")
    with path.open("rb") as file:
        if has_dicom_mark(file):
            return _from_dicom(file, max_pixels)
        try:
            return _identify(path)
        except UnidentifiedImageError:
            if path.suffix.lower() not in DICOM_SUFFIXES:
                raise
            return _from_dicom(file, max_pixels)


def _from_dicom(file: io.BufferedReader | io.BytesIO, max_pixels: int) -> Image.Image:
    from zerosight.data.dicom import decode_dicom  # here, so that only DICOM files pay for its packages

    return decode_dicom(file, max_pixels)


def _identify(file: Path | io.BytesIO) -> Image.Image:
    """Return the image with its header read; only the decoders of the allowed formats look at the bytes."""
    with quiet():
        return Image.open(file, formats=FORMATS)


def _decode(image: Image.Image, max_pixels: int) -> Image.Image:
    """Return an upright copy in one of the four modes, without metadata."""
    check_size(image.width, image.height, max_pixels)
    if image.format == "TIFF":  # the one decoder that warns while it decodes
        with quiet():
            image.load()
    else:
        image.load()
    with quiet():
        upright = _upright(image)
    upright.info = {}  # also forgets a palette's transparency, of which converting to RGB would warn
    return _plain_mode(upright)


def _upright(image: Image.Image) -> Image.Image:
    """Return a copy turned as its EXIF orientation says; EXIF that cannot be parsed says nothing."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # any error at all: the tags are hostile bytes too, and the pixels are fine without
        orientation = 1
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image.copy() if turn is None else image.transpose(turn)


def _plain_mode(image: Image.Image) -> Image.Image:
    """Return the image in mode RGB, L, RGBA or P by the table at the top."""
    mode = image.mode
    if mode in ("RGB", "L", "RGBA", "P"):
        return image
    if mode == "1":
        return image.convert("L")
    if mode in ("LA", "PA", "RGBa"):
        return image.convert("RGBA")
    if mode == "La":
        return image.convert("LA").convert("RGBA")
    if mode == "I" or mode.startswith("I;16"):
        return Image.fromarray(_from_16_bits(np.asarray(image)))
    if mode == "F":
        return Image.fromarray(_from_unit_range(np.asarray(image)))
    return image.convert("RGB")


def _from_array(array: np.ndarray, max_pixels: int) -> Image.Image:
    """Return the array as an image of mode L, RGB or RGBA."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ImageReadError(
            f"shape {array.shape} is not an image; give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        )
    check_size(array.shape[1], array.shape[0], max_pixels)
    if array.dtype == np.uint16:
        array = _from_16_bits(array)
    elif array.dtype.kind == "f":
        array = _from_unit_range(array)
    elif array.dtype != np.uint8:
        raise ImageReadError(f"dtype {array.dtype} is not allowed; give uint8, uint16 or float in [0, 1]")
    return Image.fromarray(np.array(array, dtype=np.uint8, order="C"))


def _from_16_bits(values: np.ndarray) -> np.ndarray:
    """Return 0…65,535 as the nearest of 0…255."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65_535:
        raise ImageReadError(f"holds values {low}…{high}; integers should be in 0…65535, save it as 16-bit")
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _from_unit_range(values: np.ndarray) -> np.ndarray:
    """Return floats in [0, 1] as the nearest of 0…255."""
    if not np.isfinite(values).all():
        raise ImageReadError("holds NaN or infinite values; floats should be in [0, 1]")
    low, high = float(values.min()), float(values.max())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ImageReadError(f"holds values {low:.4g}…{high:.4g}; floats should be in [0, 1], rescale them")
    return np.rint(values.clip(0, 1).astype(np.float32) * 255).astype(np.uint8)


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
