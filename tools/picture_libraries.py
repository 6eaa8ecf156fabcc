"""What libraries take to write, shrink and read pictures, beside what the product does.

    pip install opencv-python-headless pyvips pyvips-binary
    OMP_NUM_THREADS=1 python tools/picture_libraries.py

The processor's time for one picture, in ms: the median of rounds in which every way is taken in turn, so
that other work on the machine meets all alike. Libraries that are not installed are left out.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, features

from zerosight.data.pixels import read_image
from zerosight.report.formats import PREVIEW_SIDE, preview
from zerosight.report.png import save_png

SIZES = ((640, 480), (1600, 1200))
Ways = dict[str, Callable[[], Any]]


def photograph(width: int, height: int) -> Image.Image:
    """Return a drawing with structure of all sizes and some noise, as photographs have."""
    rng = np.random.default_rng(0)
    total = rng.normal(0, 4, (height, width, 1)).repeat(3, axis=2)
    for number, across in enumerate((3, 6, 12, 24, 48, 96, 192)):
        coarse = rng.normal(0, 50 * 0.6**number, (3, across * 3 // 4 + 1, across)).astype(np.float32)
        bands = [Image.fromarray(band).resize((width, height), Image.Resampling.BICUBIC) for band in coarse]
        total += np.stack([np.asarray(band) for band in bands], axis=-1)
    return Image.fromarray((128 + total).clip(0, 255).astype(np.uint8))


def png_ways(photo: Image.Image, folder: Path) -> Ways:
    """Return how a PNG file is written."""

    def pillow(level: int) -> bytes:
        content = io.BytesIO()
        photo.save(content, "PNG", compress_level=level)
        return content.getvalue()

    def ours() -> bytes:
        save_png(photo, folder / "a.png")
        return (folder / "a.png").read_bytes()

    ways: Ways = {"ours": ours, "Pillow, level 1": lambda: pillow(1), "Pillow, level 6": lambda: pillow(6)}
    pixels = np.asarray(photo)
    if cv2 := opencv():
        level = [cv2.IMWRITE_PNG_COMPRESSION, 1]
        ways["OpenCV"] = lambda: cv2.imencode(".png", pixels[:, :, ::-1])[1]
        ways["OpenCV, level 1"] = lambda: cv2.imencode(".png", pixels[:, :, ::-1], level)[1]
    if vips := libvips():
        ways["libvips, level 1"] = lambda: vips.Image.new_from_array(pixels).pngsave_buffer(compression=1)
    return ways


def preview_ways(photo: Image.Image) -> Ways:
    """Return how a preview is made and written as JPEG."""

    def ours() -> bytes:
        content = io.BytesIO()
        preview(photo).save(content, "JPEG", quality=88)
        return content.getvalue()

    ways: Ways = {"ours (Pillow)": ours}
    pixels = np.asarray(photo)
    small = (PREVIEW_SIDE, PREVIEW_SIDE * photo.height // photo.width)
    if cv2 := opencv():
        quality = [cv2.IMWRITE_JPEG_QUALITY, 88]
        ways["OpenCV, area"] = lambda: cv2.imencode(
            ".jpg", cv2.resize(pixels[:, :, ::-1], small, interpolation=cv2.INTER_AREA), quality
        )[1]
    if vips := libvips():
        ways["libvips"] = lambda: (
            vips.Image.new_from_array(pixels).thumbnail_image(PREVIEW_SIDE).jpegsave_buffer(Q=88)
        )
    return ways


def read_ways(photo: Image.Image) -> Ways:
    """Return how a JPEG file is decoded."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=90)
    content = file.getvalue()
    turbo = "libjpeg-turbo" if features.check("libjpeg_turbo") else "libjpeg"
    ways: Ways = {f"ours (Pillow, {turbo})": lambda: read_image(content)}
    if cv2 := opencv():
        ways["OpenCV"] = lambda: cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if vips := libvips():
        ways["libvips"] = lambda: vips.Image.new_from_buffer(content, "").numpy()
    return ways


def opencv() -> Any:
    """Return OpenCV in one thread, or None."""
    try:
        import cv2
    except ImportError:
        return None
    cv2.setNumThreads(1)
    return cv2


def libvips() -> Any:
    """Return pyvips, or None."""
    try:
        import pyvips
    except ImportError:
        return None
    return pyvips


def measure(ways: Ways, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of the processor of every way."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            taken[name].append(1000 * (time.process_time() - begun))
    return {name: float(np.median(times)) for name, times in taken.items()}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            photo = photograph(*size)
            for what, one in (("write PNG", photo), ("write grey PNG", photo.convert("L").convert("RGB"))):
                png = png_ways(one, Path(folder))
                for name, milliseconds in measure(png, rounds).items():
                    tell(size, what, name, f"{milliseconds:.1f} ms, {len(png[name]()) / 1000:.0f} KB")
            for what, ways in (("preview", preview_ways(photo)), ("read JPEG", read_ways(photo))):
                for name, milliseconds in measure(ways, rounds).items():
                    tell(size, what, name, f"{milliseconds:.1f} ms")


def tell(size: tuple[int, int], *words: str) -> None:
    """Print a line."""
    print(" | ".join((f"{size[0]} x {size[1]}", *words)), flush=True)


if __name__ == "__main__":
    main()
