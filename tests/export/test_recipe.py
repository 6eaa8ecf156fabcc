"""The recipe of docs/deploy.md gives a graph the pixels that zerosight would give it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from zerosight.data.pixels import read_image
from zerosight.preprocess import Preprocess

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "deploy.md"
RECIPES = re.findall(r'^image = Image\.open\("photo\.png"\)\n(?:.*\n)*?pixels = .*$', GUIDE.read_text(), re.M)
RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (40, 1))


def photo(kind: str) -> io.BytesIO:
    """Return a PNG of a ramp."""
    turned, file = Image.Exif(), io.BytesIO()
    turned[0x0112] = 6
    if kind == "16 bits":
        Image.fromarray(RAMP.astype(np.uint16) * 257 + 100).save(file, "PNG")
    elif kind == "colour":
        Image.fromarray(np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=2)).save(file, "PNG")
    else:
        Image.fromarray(RAMP).save(file, "PNG", **({"exif": turned} if kind == "turned" else {}))
    return file


@pytest.mark.parametrize("recipe", RECIPES, ids=["onnx", "openvino"])
@pytest.mark.parametrize("kind", ["upright", "turned", "16 bits", "colour"])
def test_the_pixels_are_ours(recipe: str, kind: str):
    file = photo(kind)
    names = {"np": np, "Image": Image, "ImageOps": ImageOps, "size": 32, "photo": file}
    exec(recipe.replace('"photo.png"', "photo"), names)
    ours = Preprocess(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).pixels(read_image(file.getvalue()))
    assert np.abs(names["pixels"].astype(int) - ours).max() <= 1
