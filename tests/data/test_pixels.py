"""Reading images: the modes that must survive, the bytes that must not."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from zerosight.data.pixels import FORMATS, one_line, read_image
from zerosight.errors import ImageReadError

PHOTO = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return the image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG whose header promises a size that its data do not hold."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"\0")]
    framed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def assert_refused(source: Path | bytes | np.ndarray | Image.Image, *words: str, **options: int) -> None:
    """Assert that the source gives an error of one line that holds the words."""
    with pytest.raises(ImageReadError) as caught:
        read_image(source, **options)
    message = str(caught.value)
    assert message.isprintable()
    for word in words:
        assert word in message


# --- modes


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_modes_that_the_transform_handles_are_unchanged(mode: str) -> None:
    image = Image.fromarray(PHOTO).convert(mode)
    read = read_image(encode(image, "PNG"))
    assert read.mode == mode
    assert read.tobytes() == image.tobytes()
    assert read.getpalette() == image.getpalette()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        *[(mode, "L") for mode in ("1", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")],
        *[(mode, "RGBA") for mode in ("LA", "La", "PA", "RGBa")],
        *[(mode, "RGB") for mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX")],
    ],
)
def test_every_other_mode_becomes_one_of_them(mode: str, expected: str) -> None:
    read = read_image(Image.new(mode, (5, 3)))
    assert read.mode == expected
    assert read.size == (5, 3)


def test_grey_with_alpha_resizes_as_before_its_conversion() -> None:
    image = Image.fromarray(PHOTO).convert("LA")
    image.putalpha(Image.fromarray(PHOTO[..., 0]))
    ours, theirs = (i.resize((7, 7), Image.Resampling.BICUBIC) for i in (read_image(image), image))
    assert ours.convert("RGB").tobytes() == theirs.convert("RGB").tobytes()


def test_transparent_palette_converts_without_a_warning() -> None:
    image = Image.fromarray(PHOTO).quantize(8)
    read = read_image(encode(image, "PNG", transparency=bytes(range(8))))
    assert read.mode == "P"
    assert read.convert("RGB").tobytes() == image.convert("RGB").tobytes()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_divided_by_257_and_never_stretched(kind: str) -> None:
    values = np.array([[0, 128, 129, 257, 65_535, 30_000]], dtype=np.uint16)
    read = read_image(encode(Image.fromarray(values), kind))
    assert np.asarray(read).tolist() == [[0, 0, 1, 1, 255, 117]]


def test_32_bit_and_float_modes_follow_the_same_rule_or_say_why_not() -> None:
    integers = Image.fromarray(np.array([[0, 65_535]], dtype=np.int32))
    assert np.asarray(read_image(integers)).tolist() == [[0, 255]]
    floats = Image.fromarray(np.array([[0, 0.5, 1]], dtype=np.float32))
    assert np.asarray(read_image(encode(floats, "TIFF"))).tolist() == [[0, 128, 255]]
    assert_refused(Image.fromarray(np.array([[-1, 5]], dtype=np.int32)), "-1…5", "0…65535")
    assert_refused(Image.fromarray(np.array([[0, 255]], dtype=np.float32)), "0…255", "[0, 1]")
    assert_refused(Image.fromarray(np.array([[np.nan]], dtype=np.float32)), "NaN")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once(kind: str, orientation: int) -> None:
    corner = np.zeros((3, 5, 3), dtype=np.uint8)
    corner[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    read = read_image(encode(Image.fromarray(corner), kind, exif=exif.tobytes(), **options))
    turned = {1: corner, 2: corner[:, ::-1], 3: corner[::-1, ::-1], 4: corner[::-1]}
    turned |= {5: corner.swapaxes(0, 1), 6: np.rot90(corner, -1), 8: np.rot90(corner)}
    turned |= {7: corner[::-1, ::-1].swapaxes(0, 1)}
    assert np.array_equal(np.asarray(read), turned[orientation])
    assert not read.info
    assert not read.getexif()


def test_damaged_exif_does_not_lose_the_pixels() -> None:
    image = Image.fromarray(PHOTO)
    read = read_image(encode(image, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    assert read.tobytes() == image.tobytes()


@pytest.mark.filterwarnings("ignore:an image file holds several")
def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        read = read_image(encode(frames[0], kind, save_all=True, append_images=frames[1:]))
        red, green, blue = read.convert("RGB").getpixel((2, 2))
        assert red > 240
        assert max(green, blue) < 15


def test_the_source_image_is_left_alone() -> None:
    image = Image.open(io.BytesIO(encode(Image.fromarray(PHOTO), "PNG", pnginfo=None)))
    image.info["note"] = "mine"
    read = read_image(image)
    read.paste(0, (0, 0, 4, 4))
    assert image.info["note"] == "mine"
    assert np.array_equal(np.asarray(image), PHOTO)


# --- arrays


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "mode"), [((2, 3), "L"), ((2, 3, 1), "L"), ((2, 3, 3), "RGB"), ((2, 3, 4), "RGBA")]
)
def test_full_scale_of_every_dtype_is_white(dtype: type, shape: tuple[int, ...], mode: str) -> None:
    full = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    read = read_image(np.full(shape, full, dtype=dtype))
    assert (read.mode, read.size) == (mode, (3, 2))
    assert np.asarray(read).min() == 255


def test_a_reversed_view_is_read_as_it_looks_and_not_shared() -> None:
    array = PHOTO.copy()
    read = read_image(array[::-1, :, ::-1])
    array[:] = 0
    assert np.array_equal(np.asarray(read), PHOTO[::-1, :, ::-1])


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((2, 3), np.int64), "int64"),
        (np.zeros((2, 3), bool), "bool"),
        (np.zeros((2, 3), object), "object"),
        (np.zeros((2, 3), complex), "complex"),
        (np.zeros(3, np.uint8), "(3,)"),
        (np.zeros((), np.uint8), "()"),
        (np.zeros((2, 3, 2), np.uint8), "(2, 3, 2)"),
        (np.zeros((1, 3, 8, 8), np.uint8), "(1, 3, 8, 8)"),
        (np.zeros((0, 3), np.uint8), "no pixels"),
        (np.zeros((3, 0, 3), np.float32), "no pixels"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.full((2, 2), np.inf), "infinite"),
        (np.full((2, 2), 1.01), "[0, 1]"),
        (np.full((2, 2), -0.01), "[0, 1]"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, word: str) -> None:
    assert_refused(array, "array: ", word)


def test_rounding_of_interpolation_is_forgiven() -> None:
    array = np.array([[1 + 1e-6, -1e-6]], dtype=np.float32)
    assert np.asarray(read_image(array)).tolist() == [[255, 0]]


# --- files that are not what they should be


def test_truncated_empty_and_mislabelled_files(tmp_path: Path) -> None:
    whole = encode(Image.fromarray(np.tile(PHOTO, (20, 20, 1))), "JPEG")
    cases = {"cut.jpg": whole[: len(whole) // 2], "empty.png": b"", "text.png": b"<html>not found</html>"}
    words = {"cut.jpg": "truncated", "empty.png": "empty", "text.png": "not an image"}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        assert_refused(tmp_path / name, str(tmp_path / name), words[name])
    (tmp_path / "jpeg.png").write_bytes(whole)
    assert read_image(tmp_path / "jpeg.png").size == (400, 240)
    assert read_image(str(tmp_path / "jpeg.png")).mode == "RGB"
    assert_refused(b"", "image bytes", "empty")


def test_paths_that_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused(tmp_path, str(tmp_path), "folder")
    assert_refused(tmp_path / "none.png", "none.png", "No such file")
    assert_refused(Path("a\0b"), "a b")
    (tmp_path / "two\nlines.png").write_bytes(b"x")
    assert_refused(tmp_path / "two\nlines.png", "two lines.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert_refused(tmp_path / "pipe.png", "not a regular file")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert_refused(tmp_path / "loop.png", "symbolic links")

    def forbidden(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret.png").write_bytes(b"x")
    monkeypatch.setattr("zerosight.data.pixels.Image.open", forbidden)
    assert_refused(tmp_path / "secret.png", "secret.png", "Permission denied")


@pytest.mark.parametrize("content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"%PDF-1.7\n"])
def test_formats_that_run_programs_are_not_tried(content: bytes) -> None:
    assert not {"EPS", "PDF", "WMF"} & set(FORMATS)
    assert_refused(content, "not an image")


def test_bombs_are_refused_from_their_header() -> None:
    assert_refused(png_of_size(60_000, 60_000), "too large", "178,000,000")
    assert_refused(png_of_size(13_300, 13_400), "too large", "13300 × 13400", "178,000,000")
    assert_refused(png_of_size(11, 10), "too large", max_pixels=109)
    assert_refused(np.zeros((11, 10), np.uint8), "too large", max_pixels=109)
    assert_refused(png_of_size(10_000, 10_000), "truncated")  # above Pillow's warning, which must not leak
    assert_refused(Image.new("L", (0, 10)), "0 × 10")


@pytest.mark.parametrize("size", [(1, 1), (20_000, 3), (3, 20_000)])
def test_extreme_shapes_are_read(size: tuple[int, int]) -> None:
    for kind in ("PNG", "JPEG", "BMP", "TIFF"):
        assert read_image(encode(Image.new("RGB", size), kind)).size == size


def test_memory_that_runs_out_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(image: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "copy", full)
    assert_refused(Image.new("L", (2, 2)), "memory")


# --- anything at all

SAMPLES = [
    encode(Image.fromarray(PHOTO).convert(mode), kind)
    for mode, kinds in {"RGB": "PNG JPEG TIFF WEBP BMP JPEG2000", "P": "PNG GIF", "CMYK": "TIFF"}.items()
    for kind in kinds.split()
]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(content=st.binary(max_size=200))
def test_random_bytes_give_one_line(content: bytes) -> None:
    assert_refused(content, "image bytes: ")


@settings(max_examples=400, deadline=None, derandomize=True)
@given(data=st.data())
def test_damaged_files_are_read_or_give_one_line(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    try:
        read = read_image(bytes(content), max_pixels=1_000_000)
    except ImageReadError as error:
        message = str(error)
    else:
        message = read.mode
        assert read.mode in ("RGB", "L", "RGBA", "P")
        assert read.convert("RGB").size == read.size
    assert message.isprintable()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    array=hnp.arrays(
        dtype=st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.float64, np.bool_]),
        shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
def test_any_array_is_read_or_gives_one_line(array: np.ndarray) -> None:
    try:
        read = read_image(array)
    except ImageReadError as error:
        message = str(error)
    else:
        message = "array: read"
        assert read.size == (array.shape[1], array.shape[0])
    assert message.startswith("array: ")


@given(text=st.text())
def test_one_line_is_one_short_line(text: str) -> None:
    line = one_line(text, limit=50)
    assert line.isprintable()
    assert len(line) <= 51


def tiff(values: bytes, width: int, bits: int, white: int = 255, kind: int = 1, pages: int = 1) -> bytes:
    """Return a plain grey TIFF of one row per page; ``white`` 0 makes zero white."""
    content = b"II*\0" + struct.pack("<I", 8)
    for page in range(pages):
        start = len(content)
        tags = [(256, width), (257, 1), (258, bits), (259, 1), (262, 0 if white == 0 else 1)]
        tags += [(273, start + 2 + 10 * 12 + 4), (277, 1), (278, 1), (279, len(values)), (339, kind)]
        content += struct.pack("<H", len(tags))
        content += b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, n) for tag, n in tags)
        after = start + 2 + 10 * 12 + 4 + len(values)
        content += struct.pack("<I", after if page + 1 < pages else 0) + values
    return content


def packed(values: list[int], bits: int) -> bytes:
    whole = "".join(f"{value:0{bits}b}" for value in values)
    whole += "0" * (-len(whole) % 8)
    return int(whole, 2).to_bytes(len(whole) // 8, "big")


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("white", [0, 255])
def test_the_declared_bits_of_a_tiff_are_its_range(bits: int, white: int) -> None:
    top = (1 << bits) - 1
    levels = [0, 85, 170, 255]
    content = tiff(packed([round(top * level / 255) for level in levels], bits), 4, bits, white)
    expected = levels if white else levels[::-1]
    assert np.asarray(read_image(content))[0].tolist() == expected


@pytest.mark.parametrize(
    ("values", "bits", "kind"),
    [
        (np.array([0, 128, 255], np.uint8), 8, 1),
        (np.array([0, 128 * 257, 65_535], "<u2"), 16, 1),
        (np.array([0, 0.501, 1], "<f2"), 16, 3),
        (np.array([0, 128 / 255, 1], "<f4"), 32, 3),
        (np.array([0, 128 / 255, 1], "<f8"), 64, 3),
    ],
)
def test_zero_may_be_white_at_any_depth(values: np.ndarray, bits: int, kind: int) -> None:
    read = {white: np.asarray(read_image(tiff(values.tobytes(), 3, bits, white, kind))) for white in (0, 255)}
    assert read[255][0].tolist() == [0, 128, 255]
    assert read[0][0].tolist() == [255, 127, 0]


def test_further_pages_are_told() -> None:
    content = tiff(bytes([7, 8]), 2, 8, pages=3)
    with pytest.warns(UserWarning, match="only the first is read"):
        read = read_image(content)
    assert read.info == {"pages": 3}
    assert np.asarray(read)[0].tolist() == [7, 8]
    assert read_image(tiff(bytes([7, 8]), 2, 8)).info == {}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"%PDF-1.7", "is a PDF document, not an image of a kind that is read"),
        (
            b"\0\0\0\x18ftypheic" + bytes(20),
            "is a HEIC image, not an image of a kind that is read; convert it, for example with",
        ),
        (b"GIF89a", "is a damaged GIF file"),
        (b"\x89PNG\r\n\x1a\n", "is a damaged PNG file"),
        (tiff(bytes(3), 1, 24), "24 bits per sample, compression 1, a kind that is not read"),
        (tiff(bytes(3), 9, 14), "is damaged .its pixels are cut short"),
    ],
)
def test_a_refusal_says_damaged_or_not_read(content: bytes, says: str) -> None:
    with pytest.raises(ImageReadError, match=says):
        read_image(content)


@pytest.mark.parametrize("source", [3, None, [1, 2], {"a": 1}])
def test_other_objects_are_named_by_their_type(source: object) -> None:
    with pytest.raises(ImageReadError, match=f"{type(source).__name__} objects are no images"):
        read_image(source)
