"""Toy data sets that several rooms' tests draw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image


def draw_squares(folder: Path, count: int) -> Iterator[tuple[int, str, str | None]]:
    """Draw noise, every other image with a bright square and its mask; give number, image and mask."""
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.integers(100, 140, (40, 40, 3), dtype=np.uint8)
        mask = np.zeros((40, 40), np.uint8)
        if i % 2:
            y, x = rng.integers(0, 25, 2)
            pixels[y : y + 15, x : x + 15] = 250
            mask[y : y + 15, x : x + 15] = 255
            Image.fromarray(mask).save(folder / f"{i}_mask.png")
        Image.fromarray(pixels).save(folder / f"{i}.png")
        yield i, f"{i}.png", f"{i}_mask.png" if i % 2 else None


def draw_brains(folder: Path, normal: int, anomalous: int) -> Path:
    """Draw even images under ``no`` and images with a rough patch under ``yes``; return the folder."""
    rng = np.random.default_rng(0)
    for name, count in (("no", normal), ("yes", anomalous)):
        (folder / name).mkdir()
        for i in range(count):
            pixels = 120 + rng.normal(0, 6, (48, 48, 3))
            if name == "yes":
                pixels[8:32, 8:32] = rng.uniform(0, 255, (24, 24, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name / f"{i}.png")
    return folder
