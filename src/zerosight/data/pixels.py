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
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError, features

from zerosight.data import animation, tiff
from zerosight.data.kinds import LONGEST, foreign_kind, known_kind
from zerosight.data.large import LARGE, decode_large
from zerosight.data.limits import MOST_PIXELS, check_size, quiet
from zerosight.data.shards import is_shard, read_in, why_none
from zerosight.data.video import read_moment
from zerosight.errors import ImageReadError, MissingExtraError, one_line
from zerosight.files import Part, part_of, split_part
from zerosight.stores import StoreError, fetch, is_address

FORMATS = (
    *("PNG", "JPEG", "JPEG2000", "BMP", "GIF", "TIFF", "WEBP", "PPM"),
    *(("AVIF",) if features.check("avif") else ()),
)
DICOM_SUFFIXES = frozenset((".dcm", ".dicom"))
_ALLOWED = "PNG, JPEG, JPEG 2000, BMP, GIF, TIFF, WebP, AVIF, PNM or DICOM"
_GREEDY = {"AVIF": 70_000_000}
"""Pixels of formats whose decoders take 20 bytes for each, so that reading stays below 1.5 GB."""
_STRIP = 1 << 22  # pixels that are converted at once
_IN_SHARDS = ("member", "row")
_COUNTED = 8 * 2**20  # bytes of an animation whose frames are counted
_SEVERAL = (
    "an image file holds several pages or frames, and only the first is read; info['pages'] of what is read "
    "counts them (further files are not told of)"
)
_ROUNDING = 1e-5  # how far interpolation in float32 may push a value out of [0, 1]
_NOTHING = Image.new("L", (1, 1))
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(
    source: str | Path | bytes | Image.Image | np.ndarray | object,
    *,
    max_pixels: int = MOST_PIXELS,
    before: Callable[[int], None] | None = None,
) -> Image.Image:
    """Return a fully decoded, upright image of mode RGB, L, RGBA or P that shares nothing with its source.

    Args:
        source: A file, an address in a store (``s3://…``), a part of either (``scan.tif#page=3``,
            ``study.dcm#frame=12``; of a file, ``clip.mp4#t=2.5``), the bytes of a file, a PIL image, or an
            array: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16 (rounded to 8 bits by 1/257) or
            float in [0, 1]. Of several pages or frames the first is read; ``info["pages"]`` of the result
            counts them, and the first such file gives a warning.
        max_pixels: Images of more pixels are refused before they are decoded. Pillow itself refuses files
            of more than twice its ``Image.MAX_IMAGE_PIXELS``, 178,956,970 pixels.
        before: Called before a file's image is decoded, with the bytes that it will take; may wait.

    Raises:
        ImageReadError: The source is missing, unreadable, damaged, too large, empty or no raster image.
        MissingExtraError: A DICOM file is compressed in a way that needs another package.

    >>> read_image(np.zeros((4, 6), np.uint8)).size
    (6, 4)
    """
    name = _name(source)
    try:
        image = _read(source, max_pixels, before)
    except MissingExtraError as error:
        raise type(error)(f"{name}: {error}") from None
    except Exception as error:  # the decoders raise anything at all on hostile bytes
        raise ImageReadError(f"{name}: {_reason(error, max_pixels)}") from None
    if "pages" in image.info:
        warnings.warn(_SEVERAL, stacklevel=2)
    return image


def _read(source: object, max_pixels: int, before: Callable[[int], None] | None) -> Image.Image:
    """Return the image in a source; errors do not name it."""
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        return _decode(source, max_pixels)
    if not isinstance(source, str | Path | bytes):
        raise ImageReadError(
            f"{type(source).__name__} objects are no images; give a path, the bytes of a file, a PIL image "
            "or a NumPy array"
        )
    with _open(source, max_pixels) as image:
        if before is not None:
            before(bytes_of(image))
        return _decode(image, max_pixels, own=True)


def bytes_of(image: Image.Image | None) -> int:
    """Return how many bytes Pillow keeps an image in."""
    if image is None:
        return 0
    return image.width * image.height * (1 if image.mode in ("L", "P", "1") else 4)


def _name(source: object) -> str:
    """Return what to call the source in an error."""
    if isinstance(source, str | Path):
        return one_line(str(source)) or "''"
    if isinstance(source, bytes):
        return "image bytes"
    if isinstance(source, Image.Image):
        return "PIL image"
    return "array" if isinstance(source, np.ndarray) else "image"


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
        return (
            _from_dicom(content, max_pixels)
            if has_dicom_mark(content)
            else _identify(content, content, max_pixels)
        )
    if isinstance(source, str) and is_address(source):
        return _from_store(source, max_pixels)
    part = part_of(Path(source))
    if part is not None and part.kind == "t":
        return read_moment(part.file, part.number)
    if part is not None and part.kind in _IN_SHARDS:
        return _open(read_in(part.file, part), max_pixels)
    if part is None and is_shard(source) and Path(source).is_file():
        raise ImageReadError(why_none(source))
    path = Path(source) if part is None else part.file
    if part is not None and animation.holds(path, part.kind):
        return animation.read_frame(path, int(part.number))
    number = None if part is None else int(part.number)
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ImageReadError("is a folder; give an image file")
    if not stat.S_ISREG(status.st_mode):
        raise ImageReadError("is not a regular file; give an image file")
    if status.st_size == 0:
        raise ImageReadError("is empty (0 bytes); replace the file")
    with path.open("rb") as file:
        if has_dicom_mark(file):
            return _from_dicom(file, max_pixels, number)
        try:
            return _identify(path, file, max_pixels, number)
        except UnidentifiedImageError:
            if path.suffix.lower() not in DICOM_SUFFIXES:
                raise
            file.seek(0)
            return _from_dicom(file, max_pixels, number)


def _from_store(address: str, max_pixels: int) -> Image.Image:
    """Return the image in an object of a store, which is fetched whole."""
    name, part = split_part(address)
    try:
        if part is not None and part[0] in _IN_SHARDS:
            return _open(read_in(name, Part(Path(name), *part)), max_pixels)
        if part is None and is_shard(name):
            raise ImageReadError(why_none(name))
        if part is not None and animation.holds(name, part[0]):
            return animation.read_frame(name, int(part[1]))
        content = fetch(name)
    except StoreError as error:
        raise ImageReadError(str(error).removeprefix(f"{one_line(name)}: ")) from None
    if not content:
        raise ImageReadError("is empty (0 bytes); replace the object")
    number = None if part is None else int(part[1])
    file = io.BytesIO(content)
    if has_dicom_mark(file):
        return _from_dicom(file, max_pixels, number)
    return _identify(file, file, max_pixels, number)


def _from_dicom(
    file: io.BufferedReader | io.BytesIO, max_pixels: int, frame: int | None = None
) -> Image.Image:
    from zerosight.data.dicom import decode_dicom  # here, so that only DICOM files pay for its packages

    return decode_dicom(file, max_pixels, frame)


def _identify(
    source: Path | io.BytesIO,
    file: io.BufferedReader | io.BytesIO,
    max_pixels: int,
    page: int | None = None,
) -> Image.Image:
    """Return the image with its header read; only the decoders of the allowed formats look at the bytes.

    Args:
        source: What Pillow reads from, also later.
        file: The same, open.
        max_pixels: Most pixels of an image that is decoded here and now.
        page: Which page of a TIFF file, from 1; None reads the first and counts them.
    """
    head = file.read(LONGEST)
    file.seek(0)
    pages = tiff.count_pages(file) if head.startswith(tiff.MARKS) else 0
    if page is not None and not 1 <= page <= max(pages, 1):
        raise ImageReadError(f"has {max(pages, 1)} pages; page {page} is none of them")
    try:
        with quiet():
            Image.preinit()  # or else Pillow loads all that it has
            image = Image.open(source, formats=FORMATS)  # noqa: TID251  # this is the door
            image.info["pages"] = 1 if page else pages or _count_frames(image, file)
            if page and page > 1:
                image.seek(page - 1)
            return image
    except UnidentifiedImageError:
        if head.startswith(tiff.MARKS):
            return Image.fromarray(tiff.read_grey(file, max_pixels, page or 1))
        foreign, known = foreign_kind(head), known_kind(head)
        if foreign:
            way = (
                "; convert it, for example with: heif-convert FILE.heic FILE.png" if "HEIC" in foreign else ""
            )
            raise ImageReadError(
                f"is {foreign}, not an image of a kind that is read{way or '; save it as PNG or TIFF'}"
            ) from None
        if known:
            raise ImageReadError(f"is a damaged {known} file (its header); replace the file") from None
        raise


def _count_frames(image: Image.Image, file: io.BufferedReader | io.BytesIO) -> int:
    """Return how many frames a file has; 2, for some, where counting them would take long."""
    if not getattr(image, "is_animated", False):
        return 1
    size = file.seek(0, io.SEEK_END)
    return int(getattr(image, "n_frames", 2)) if size <= _COUNTED else 2


def _decode(image: Image.Image, max_pixels: int, *, own: bool = False) -> Image.Image:
    """Return an upright image in one of the four modes, without metadata.

    Args:
        image: As it was given or opened.
        max_pixels: Most pixels of an image.
        own: Whether nobody else holds it, so that it need not be copied.
    """
    check_size(image.width, image.height, max_pixels)
    most = _GREEDY.get(image.format or "", max_pixels) if own else max_pixels
    if image.width * image.height > most:
        raise ImageReadError(
            f"is too large for {image.format}: {image.width} × {image.height} pixels, "
            f"at most {most:,} are read; save it as PNG or TIFF"
        )
    if own and image.width * image.height > LARGE.get(image.format or "", max_pixels):
        pixels = decode_large(image)
    else:
        pixels = _loaded(image, own)
    pages = image.info.get("pages", 1) if own else 1
    white_is_zero, full = _samples(image)
    with quiet():
        turn = _turn(image)
        pixels = pixels if turn is None else pixels.transpose(turn)
    pixels.info = {}  # also forgets a palette's transparency, of which converting to RGB would warn
    pixels = _plain_mode(pixels, full)
    if white_is_zero:  # of deep samples; Pillow has turned what it knows as 8 bits
        pixels = pixels.point(range(255, -1, -1))
    if pages > 1:
        pixels.info["pages"] = pages
    return pixels


def _loaded(image: Image.Image, own: bool) -> Image.Image:
    """Return the decoded pixels without the image's file and tags; of one that is nobody else's, moved."""
    if image.format == "TIFF":  # the one decoder that warns while it decodes
        with quiet():
            image.load()
    else:
        image.load()
    if not own:
        return image.copy()
    pixels = image._new(image.im)
    image.im = _NOTHING.im  # so that they can be forgotten as soon as they are turned or converted
    return pixels


def _samples(image: Image.Image) -> tuple[bool, int]:
    """Return whether a TIFF's deep samples have white at zero, and the value of its other end."""
    tags = getattr(image, "tag_v2", None)
    if (
        image.format != "TIFF"
        or tags is None
        or (image.mode not in ("I", "F") and not image.mode.startswith("I;16"))
    ):
        return False, 65_535
    kind = tiff.samples_of(tags)
    return kind.white_is_zero, 65_535 if kind.bits >= 16 else (1 << kind.bits) - 1


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return how an image's EXIF says that it should be turned; EXIF that cannot be parsed says nothing."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # any error at all: the tags are hostile bytes too, and the pixels are fine without
        return None
    return _UPRIGHT.get(orientation) if isinstance(orientation, int) else None


def _plain_mode(image: Image.Image, full: int = 65_535) -> Image.Image:
    """Return the image in mode RGB, L, RGBA or P by the table at the top; ``full`` is the value of white."""
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
        return _in_strips(image, partial(_check_range, full=full), partial(_from_16_bits, full=full))
    if mode == "F":
        return _in_strips(image, _check_unit_range, _from_unit_range)
    return image.convert("RGB")


def _in_strips(
    image: Image.Image,
    check: Callable[[np.ndarray, np.ndarray], None],
    convert: Callable[[np.ndarray], np.ndarray],
) -> Image.Image:
    """Return grey levels, made of a few rows at a time so that no second large image is in memory.

    Args:
        image: Of one deep channel.
        check: Refuses the lowest and the highest values of all strips.
        convert: Returns the grey levels of values.
    """
    step = max(1, _STRIP // image.width)
    places = [(0, top, image.width, min(top + step, image.height)) for top in range(0, image.height, step)]
    ends = [(rows.min(), rows.max()) for rows in (np.asarray(image.crop(box)) for box in places)]
    check(np.array([low for low, _ in ends]), np.array([high for _, high in ends]))
    grey = np.empty((image.height, image.width), np.uint8)
    for left, top, right, bottom in places:
        grey[top:bottom] = convert(np.asarray(image.crop((left, top, right, bottom))))
    return Image.fromarray(grey)


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
        _check_unit_range(array.min(keepdims=True), array.max(keepdims=True))
        array = _from_unit_range(array)
    elif array.dtype != np.uint8:
        raise ImageReadError(f"dtype {array.dtype} is not allowed; give uint8, uint16 or float in [0, 1]")
    return Image.fromarray(np.array(array, dtype=np.uint8, order="C"))


def _check_range(lows: np.ndarray, highs: np.ndarray, full: int = 65_535) -> None:
    """Refuse whole numbers beyond 0…65,535, given the lowest and highest of each part."""
    low, high = int(lows.min()), int(highs.max())
    if low < 0 or high > full:
        raise ImageReadError(f"holds values {low}…{high}; integers should be in 0…{full}, save it as 16-bit")


def _from_16_bits(values: np.ndarray, full: int = 65_535) -> np.ndarray:
    """Return 0…full as the nearest of 0…255."""
    return ((values.astype(np.uint32) * 255 + full // 2) // full).astype(np.uint8)


def _check_unit_range(lows: np.ndarray, highs: np.ndarray) -> None:
    """Refuse floats beyond [0, 1], given the lowest and highest of each part."""
    if not (np.isfinite(lows).all() and np.isfinite(highs).all()):
        raise ImageReadError("holds NaN or infinite values; floats should be in [0, 1]")
    low, high = float(lows.min()), float(highs.max())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ImageReadError(f"holds values {low:.4g}…{high:.4g}; floats should be in [0, 1], rescale them")


def _from_unit_range(values: np.ndarray) -> np.ndarray:
    """Return floats in [0, 1] as the nearest of 0…255."""
    return np.rint(values.clip(0, 1).astype(np.float32) * 255).astype(np.uint8)
