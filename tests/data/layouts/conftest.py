"""A builder of miniatures: trees of tiny pictures laid out as real data sets are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Build = Callable[..., Path]


def paint(path: Path, bright: bool) -> None:
    """Write an 8 × 6 grey picture, black but for a corner where ``bright``."""
    pixels = np.zeros((6, 8), dtype=np.uint8)
    if bright:
        pixels[:2, :2] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format={".jpg": "JPEG", ".tif": "TIFF"}.get(path.suffix.lower()))


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that makes files below a folder: pictures by suffix, anything else as empty text."""

    def make(*names: str, below: str = "", black: tuple[str, ...] = ()) -> Path:
        root = tmp_path / below if below else tmp_path
        for name in (*names, *black):
            path = root / name
            if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".tif") and path.name[0] != ".":
                paint(path, name not in black)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("", encoding="utf-8")
        return root

    return make
