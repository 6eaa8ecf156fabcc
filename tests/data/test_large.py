"""Large JPEG 2000 and WebP images: the values that Pillow reads, in little memory, or one line."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from zerosight.data import large
from zerosight.data.large import decode_large
from zerosight.data.pixels import read_image
from zerosight.errors import ImageReadError

MODES = ("L", "LA", "RGB", "RGBA", "I;16", "YCbCr")
WAYS = (
    {"no_jp2": True},
    {"tile_size": (128, 96)},
    {"irreversible": True, "quality_layers": [20]},
    {"offset": (7, 9), "tile_offset": (3, 2), "tile_size": (130, 130)},
)


@pytest.fixture(autouse=True)
def _small_areas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "_SIDE", 100)
    if large._library("openjp2") is None or large._library("webp") is None:
        pytest.skip("this Pillow has no libraries beside it")


def picture(mode: str, height: int = 233, width: int = 177) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (12, 9, 4), dtype=np.uint8)
    smooth = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    if mode == "I;16":
        return Image.fromarray(np.asarray(smooth.convert("L")).astype(np.uint16) * 257)
    return smooth.convert("RGB").convert(mode) if mode == "YCbCr" else smooth.convert(mode)


def coded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pillows(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image).copy()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", WAYS)
def test_jpeg_2000_is_what_pillow_reads(mode: str, options: dict[str, object]) -> None:
    content = coded(picture(mode), "JPEG2000", **options)
    with Image.open(io.BytesIO(content)) as image:
        np.testing.assert_array_equal(np.asarray(decode_large(image)), pillows(content))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [True, False])
def test_webp_is_what_pillow_reads(mode: str, lossless: bool) -> None:
    content = coded(picture(mode), "WEBP", lossless=lossless, quality=60)
    with Image.open(io.BytesIO(content)) as image:
        np.testing.assert_array_equal(np.asarray(decode_large(image)), pillows(content))


def test_above_the_limit_it_is_decoded_here_and_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE", {"JPEG2000": 1000, "WEBP": 1000})
    exif = Image.Exif()
    exif[0x0112] = 6
    content = coded(picture("RGB"), "WEBP", lossless=True, exif=exif.tobytes())
    plain = read_image(content)
    calls = []
    monkeypatch.setattr("zerosight.data.pixels.LARGE", {"JPEG2000": 1000, "WEBP": 1000})
    monkeypatch.setattr(
        "zerosight.data.pixels.decode_large", lambda image: calls.append(image.format) or decode_large(image)
    )
    np.testing.assert_array_equal(np.asarray(read_image(content)), np.asarray(plain))
    deep = coded(picture("I;16"), "JPEG2000")
    assert read_image(deep).mode == "L"
    assert calls == ["WEBP", "JPEG2000"]


def test_what_is_not_read_large_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    several = coded(
        picture("RGB"), "WEBP", save_all=True, append_images=[picture("RGB").rotate(180)], lossless=True
    )
    with Image.open(io.BytesIO(several)) as image, pytest.raises(ImageReadError, match="several frames"):
        decode_large(image)
    content = coded(picture("RGB"), "JPEG2000")
    with Image.open(io.BytesIO(content)) as image:
        monkeypatch.setattr(large, "_MOST_BYTES", 1000)
        with pytest.raises(ImageReadError, match=r"too large for JPEG2000: 177 × 233 .* save it as PNG"):
            decode_large(image)
    monkeypatch.setattr(large, "_openjpeg", lambda: None)
    with Image.open(io.BytesIO(content)) as image, pytest.raises(ImageReadError, match="no OpenJPEG"):
        decode_large(image)


SEEDS = {kind: coded(picture("RGB"), kind) for kind in ("JPEG2000", "WEBP")}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(["JPEG2000", "WEBP"]))
def test_damaged_files_are_refused_or_read(data: st.DataObject, kind: str) -> None:
    content = bytearray(SEEDS[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(len(content) // 2, len(content)))]
    try:
        image = Image.open(io.BytesIO(bytes(content)), formats=(kind,))
    except Exception:  # Pillow's own, before anything is decoded here
        return
    if image.width * image.height < 1_000_000:
        with suppress(ImageReadError):
            assert decode_large(image).size == image.size
