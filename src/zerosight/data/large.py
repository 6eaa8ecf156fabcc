"""Large JPEG 2000 and WebP images, without the copies that Pillow makes of them.

Pillow decodes both whole, at 20 bytes and more for each pixel: 3.5 GB for the largest. The libraries that it
decodes them with, which its packages for Linux and macOS bring along, need less. OpenJPEG decodes one area
after another; libwebp writes into the rows that it is given. The values are those that Pillow reads.

Source: OpenJPEG 2.5, ``openjpeg.h``; libwebp 1.6, ``webp/decode.h``.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from jaxtyping import UInt
from PIL import Image

from zerosight.errors import ImageReadError

File = io.BufferedReader | io.BytesIO
LARGE = {"JPEG2000": 70_000_000, "WEBP": 70_000_000}
"""Pixels of either format above which it is decoded here."""
_MOST_BYTES = 1_430_000_000  # of the file, of the decoder and of the image together
_SIDE = 2048  # of an area, in pixels
_CODESTREAM, _JP2 = 0, 2
_SYCC = 3
_CHANNELS = {"L": 1, "I;16": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_COLOURS = {1: (0, 2), 2: (0, 2), 3: (0, 1, _SYCC), 4: (0, 1)}  # by channels: 0 is not said, 1 sRGB, 2 grey
_BUFFER = 1 << 20  # bytes that OpenJPEG reads at once
_PARAMETERS = 1 << 15  # bytes, more than its settings take


def decode_large(image: Image.Image) -> Image.Image:
    """Return a large image, decoded in less than 1.5 GB.

    Args:
        image: Of JPEG 2000 or WebP, opened by Pillow and not yet loaded.

    Returns:
        An image of the same mode and size.

    Raises:
        ImageReadError: It is damaged, of a kind that only Pillow reads, or the library is not there.
    """
    file = getattr(image, "fp", None)
    if file is None:
        raise _refusal(image, "it cannot be read again")
    return _decode_webp(image, file) if image.format == "WEBP" else _decode_jpeg2000(image, file)


def _refusal(image: Image.Image, reason: str) -> ImageReadError:
    return ImageReadError(
        f"is too large for {image.format}: {image.width} × {image.height} pixels, "
        f"at most {LARGE[image.format or 'WEBP']:,} are read ({reason}); save it as PNG or TIFF"
    )


def _check_bytes(image: Image.Image, file: File, per_pixel: int) -> None:
    """Refuse what would take too much memory after all."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if per_pixel * image.width * image.height + size > _MOST_BYTES:
        raise _refusal(image, f"with a file of {size:,} bytes")


@cache
def _library(name: str) -> Any:
    """Return a library that comes with Pillow, or the system's; None where there is neither."""
    here = Path(PIL.__file__).parent
    found = [*here.parent.glob(f"pillow.libs/lib{name}-*"), *here.glob(f".dylibs/lib{name}.*")]
    place = str(found[0]) if found else ctypes.util.find_library(name)
    try:
        return ctypes.CDLL(place) if place else None
    except OSError:
        return None


def _decode_webp(image: Image.Image, file: File) -> Image.Image:
    """Return a still WebP image; libwebp takes 4 bytes per pixel beside the rows."""
    library = _library("webp")
    channels = len(image.mode)
    if library is None or getattr(image, "n_frames", 1) != 1:
        raise _refusal(image, "several frames" if library else "this Pillow has no libwebp beside it")
    _check_bytes(image, file, 4 + channels)
    content = file.read()
    rows = np.empty((image.height, image.width, channels), np.uint8)
    decode = library.WebPDecodeRGBAInto if channels == 4 else library.WebPDecodeRGBInto
    decode.restype = ctypes.c_void_p
    decode.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if not decode(content, len(content), rows.ctypes.data, rows.nbytes, image.width * channels):
        raise ImageReadError("is damaged (its pixels cannot be decoded); replace the file")
    del content
    if channels == 4:
        return Image.frombuffer("RGBA", image.size, rows, "raw", "RGBA", 0, 1)  # shares the rows
    return Image.fromarray(rows)


class _Component(ctypes.Structure):
    """``opj_image_comp_t``."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("dx", "dy", "w", "h", "x0", "y0", "prec", "bpp", "sgnd")),
        *((name, ctypes.c_uint32) for name in ("resno_decoded", "factor")),
        ("data", ctypes.POINTER(ctypes.c_int32)),
        ("alpha", ctypes.c_uint16),
    )


class _Picture(ctypes.Structure):
    """``opj_image_t``."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("x0", "y0", "x1", "y1", "numcomps")),
        ("color_space", ctypes.c_int),
        ("comps", ctypes.POINTER(_Component)),
        ("icc_profile_buf", ctypes.c_void_p),
        ("icc_profile_len", ctypes.c_uint32),
    )


def _decode_jpeg2000(image: Image.Image, file: File) -> Image.Image:
    """Return a JPEG 2000 image, put together from areas."""
    library = _openjpeg()
    if library is None or image.mode not in _CHANNELS:
        raise _refusal(image, f"mode {image.mode}" if library else "this Pillow has no OpenJPEG beside it")
    _check_bytes(image, file, 6)
    whole = Image.new(image.mode, image.size)
    for top in range(0, image.height, _SIDE):
        for left in range(0, image.width, _SIDE):
            right, bottom = min(left + _SIDE, image.width), min(top + _SIDE, image.height)
            values, colours = _area(library, image, file, (left, top, right, bottom))
            part = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
            if colours == _SYCC:
                part = Image.frombytes("YCbCr", part.size, values.tobytes()).convert("RGB")
            whole.paste(part, (left, top))
    return whole


def _area(
    library: Any, image: Image.Image, file: File, box: tuple[int, int, int, int]
) -> tuple[UInt[np.ndarray, "height width channels"], int]:
    """Return the values of an area and the number of its colour space."""
    file.seek(0)
    with _decoder(library, file, image) as (codec, stream, picture):
        _check_kind(image, picture.contents)
        left, top, right, bottom = box
        x0, y0 = picture.contents.x0, picture.contents.y0
        done = library.opj_set_decode_area(
            codec, picture, x0 + left, y0 + top, x0 + right, y0 + bottom
        ) and library.opj_decode(codec, stream, picture)
        shape = (bottom - top, right - left)
        components = [picture.contents.comps[index] for index in range(picture.contents.numcomps)]
        if not done or any(not part.data or (part.h, part.w) != shape for part in components):
            raise ImageReadError("is damaged (its pixels cannot be decoded); replace the file")
        bits = 16 if image.mode == "I;16" else 8
        values = np.empty((*shape, len(components)), np.uint16 if bits == 16 else np.uint8)
        for index, part in enumerate(components):
            signed = 1 << (part.prec - 1) if part.sgnd else 0
            values[..., index] = (np.ctypeslib.as_array(part.data, shape) + signed) << (bits - part.prec)
        return values, picture.contents.color_space


def _check_kind(image: Image.Image, picture: _Picture) -> None:
    """Refuse what Pillow reads in a way of its own: fewer samples of colour than of grey, odd depths."""
    components = [picture.comps[index] for index in range(min(picture.numcomps, 5))]
    bits = range(9, 17) if image.mode == "I;16" else range(1, 9)
    if (
        (picture.x1 - picture.x0, picture.y1 - picture.y0) != image.size
        or len(components) != _CHANNELS[image.mode]
        or picture.color_space not in _COLOURS[len(components)]
        or any((part.dx, part.dy) != (1, 1) or part.prec not in bits for part in components)
    ):
        raise _refusal(image, "of an uncommon kind")


_READ = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_SKIP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
_SEEK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, ctypes.c_void_p)
_END = ctypes.c_size_t(-1).value


@cache
def _openjpeg() -> Any:
    """Return OpenJPEG 2.3 or newer of the second generation, its functions declared; None where it is not."""
    library = _library("openjp2")
    if library is None:
        return None
    library.opj_version.restype = ctypes.c_char_p
    version = library.opj_version().decode().split(".")
    if version[0] != "2" or int(version[1]) < 3:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_uint32
    picture = ctypes.POINTER(_Picture)
    for name, result, arguments in (
        ("create_decompress", pointer, (ctypes.c_int,)),
        ("destroy_codec", None, (pointer,)),
        ("set_default_decoder_parameters", None, (pointer,)),
        ("setup_decoder", ctypes.c_int, (pointer, pointer)),
        ("stream_create", pointer, (ctypes.c_size_t, ctypes.c_int)),
        ("stream_destroy", None, (pointer,)),
        ("stream_set_read_function", None, (pointer, _READ)),
        ("stream_set_skip_function", None, (pointer, _SKIP)),
        ("stream_set_seek_function", None, (pointer, _SEEK)),
        ("stream_set_user_data", None, (pointer, pointer, pointer)),
        ("stream_set_user_data_length", None, (pointer, ctypes.c_uint64)),
        ("read_header", ctypes.c_int, (pointer, pointer, ctypes.POINTER(picture))),
        ("set_decode_area", ctypes.c_int, (pointer, picture, number, number, number, number)),
        ("decode", ctypes.c_int, (pointer, pointer, picture)),
        ("image_destroy", None, (picture,)),
    ):
        function = getattr(library, f"opj_{name}")
        function.restype, function.argtypes = result, arguments
    return library


@contextmanager
def _decoder(library: Any, file: File, image: Image.Image) -> Iterator[tuple[Any, Any, Any]]:
    """Give a decoder, its stream and the picture that its header describes."""

    def read(buffer: int, size: int, _: object) -> int:
        content = file.read(size)
        ctypes.memmove(buffer, content, len(content))
        return len(content) or _END

    def skip(size: int, _: object) -> int:
        file.seek(size, io.SEEK_CUR)
        return size

    def seek(place: int, _: object) -> int:
        file.seek(place)
        return 1

    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    calls = _READ(read), _SKIP(skip), _SEEK(seek)
    settings = ctypes.create_string_buffer(_PARAMETERS)
    picture = ctypes.POINTER(_Picture)()
    codec = library.opj_create_decompress(_CODESTREAM if getattr(image, "codec", "") == "j2k" else _JP2)
    stream = library.opj_stream_create(_BUFFER, 1)
    try:
        for name, call in zip(("read", "skip", "seek"), calls, strict=True):
            getattr(library, f"opj_stream_set_{name}_function")(stream, call)
        library.opj_stream_set_user_data(stream, None, None)
        library.opj_stream_set_user_data_length(stream, length)
        library.opj_set_default_decoder_parameters(settings)
        if not (
            library.opj_setup_decoder(codec, settings)
            and library.opj_read_header(stream, codec, ctypes.byref(picture))
        ):
            raise ImageReadError("is a damaged JPEG 2000 file (its header); replace the file")
        yield codec, stream, picture
    finally:
        if picture:
            library.opj_image_destroy(picture)
        library.opj_destroy_codec(codec)
        library.opj_stream_destroy(stream)
