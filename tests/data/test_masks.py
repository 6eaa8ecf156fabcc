"""Masks: which pixels count as anomalous, in every mode a mask comes in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.masks import read_anomaly_mask, read_mask
from zerosight.errors import DataError, EmptyMaskError


@pytest.mark.parametrize("threshold", [0, 1, 127, 254])
def test_values_above_the_threshold_are_anomalous(tmp_path: Path, threshold: int) -> None:
    path = tmp_path / "m.png"
    values = np.array([[0, 1, 127], [128, 254, 255]], dtype=np.uint8)
    Image.fromarray(values).save(path)
    np.testing.assert_array_equal(read_mask(path, threshold), values > threshold)


@pytest.mark.parametrize("mode", ["1", "P", "RGB", "RGBA", "LA", "I;16"])
def test_every_mode_says_the_same(tmp_path: Path, mode: str) -> None:
    wanted = np.array([[True, False], [False, True], [False, False]])
    grey = Image.fromarray(wanted.astype(np.uint8) * 255)
    if mode == "I;16":
        picture = Image.fromarray(wanted.astype(np.uint16) * 65535)
    elif mode == "P":
        picture = Image.fromarray(wanted.astype(np.uint8), mode=None).convert("P")
        picture.putpalette([0, 0, 0, 0, 0, 128])  # dark blue is a colour too
    else:
        picture = grey.convert(mode)
    picture.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), wanted)


def test_transparent_pixels_are_normal(tmp_path: Path) -> None:
    pixels = np.full((1, 2, 4), 255, dtype=np.uint8)
    pixels[0, 1, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[True, False]]


def test_a_size_that_is_not_the_images_is_refused(tmp_path: Path) -> None:
    Image.new("L", (3, 2)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", shape=(2, 3)).shape == (2, 3)
    with pytest.raises(DataError, match="is 3×2, its image 4×2"):
        read_mask(tmp_path / "m.png", shape=(2, 4))


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n cut"])
def test_what_is_no_picture_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.png"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_mask(path)
    assert str(caught.value).startswith(f"mask {path}: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        read_mask(tmp_path / "none.png")


def test_the_mask_of_an_anomalous_image_marks_something_at_its_size(tmp_path):
    marked = np.zeros((4, 6), np.uint8)
    marked[1, 2] = 9
    for name, values in (("marked", marked), ("empty", np.zeros_like(marked))):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    assert read_anomaly_mask(tmp_path / "marked.png", 0, (4, 6)).sum() == 1
    for name, threshold in (("empty", 0), ("marked", 9)):
        with pytest.raises(EmptyMaskError, match=f"{name}.png: marks no pixel, but its image has label 1"):
            read_anomaly_mask(tmp_path / f"{name}.png", threshold, (4, 6))
    with pytest.raises(DataError, match="a mask should have its image's size"):
        read_anomaly_mask(tmp_path / "marked.png", 0, (6, 4))
