"""PNG files: to the pixel what was drawn, and no larger than Pillow's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.report import png
from zerosight.report.png import save_png


def photograph(width: int, height: int) -> Image.Image:
    """Return something that is smooth and noisy as a photograph is."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return Image.fromarray((smooth + rng.integers(-3, 4, (height, width, 1))).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (61, 47)])
def test_every_pixel_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, size: tuple[int, int]
):
    monkeypatch.setattr(png, "_AT_ONCE", 200)  # several strips, the last of them shorter
    pixels = np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).convert(mode)
    save_png(picture, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as read:
        read.verify()
    with Image.open(tmp_path / "a.png") as read:
        assert (read.mode, read.size) == (mode, size)
        assert read.tobytes() == picture.tobytes()


def test_a_photograph_takes_about_the_bytes_that_pillow_takes(tmp_path: Path):
    picture, pillow = photograph(320, 240), io.BytesIO()
    save_png(picture, tmp_path / "a.png")
    picture.save(pillow, "PNG", compress_level=1)
    assert (tmp_path / "a.png").stat().st_size < 1.1 * len(pillow.getvalue())


def test_strips_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    picture = photograph(320, 240)
    save_png(picture, tmp_path / "a.png")
    monkeypatch.setattr(png, "_AT_ONCE", 320)
    save_png(picture, tmp_path / "b.png")
    with Image.open(tmp_path / "a.png") as one, Image.open(tmp_path / "b.png") as other:
        assert one.tobytes() == other.tobytes() == picture.tobytes()
