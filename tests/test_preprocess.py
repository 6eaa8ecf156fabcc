from __future__ import annotations

import json
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zerosight.preprocess import Preprocess, resize_map

MEAN = (0.5, 0.25, 0.0)
STD = (0.5, 0.5, 0.5)
SQUASH = Preprocess(32, MEAN, STD)
PAD = Preprocess(32, MEAN, STD, "pad")


def noise(height: int, width: int, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def test_squashing_is_one_resize() -> None:
    image = noise(40, 90)
    expected = np.array(image.resize((32, 32), Image.Resampling.BICUBIC))
    assert np.array_equal(SQUASH.pixels(image), expected)


def test_padding_keeps_the_aspect_and_fills_with_the_mean_colour() -> None:
    image = noise(40, 80)
    square = PAD.pixels(image)
    assert np.array_equal(square[8:24], np.array(image.resize((32, 16), Image.Resampling.BICUBIC)))
    assert (square[:8] == (128, 64, 0)).all()
    assert (square[24:] == (128, 64, 0)).all()
    upright = PAD.pixels(noise(80, 40))
    assert (upright[:, :8] == (128, 64, 0)).all()
    assert (upright[:, 24:] == (128, 64, 0)).all()


def test_cropping_takes_the_middle_and_maps_are_nothing_beyond() -> None:
    image, crop = noise(40, 81), Preprocess(32, MEAN, STD, "crop")
    middle = image.crop((20, 0, 60, 40))
    assert np.array_equal(crop.pixels(image), SQUASH.pixels(middle))
    grid = np.random.default_rng(1).random((8, 8), np.float32)
    whole = crop.unfit(grid, (40, 81))
    assert np.array_equal(whole[:, 20:60], resize_map(grid, (40, 40)))
    assert not whole[:, :20].any()
    assert not whole[:, 60:].any()
    mask = np.zeros((40, 81), bool)
    mask[:, 20:40] = True
    assert np.array_equal(crop.mask(mask), np.arange(32)[None].repeat(32, 0) < 16)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
def test_a_square_image_is_the_same_either_way(mode: str) -> None:
    image = noise(50, 50, mode)
    assert np.array_equal(PAD.pixels(image), SQUASH.pixels(image))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 400))
def test_the_box_lies_in_the_square(height: int, width: int, size: int) -> None:
    left, top, inner_width, inner_height = Preprocess(size, MEAN, STD, "pad").box(height, width)
    assert left >= 0
    assert top >= 0
    assert inner_width >= 1
    assert inner_height >= 1
    assert max(inner_width, inner_height) == size
    assert left + inner_width <= size
    assert top + inner_height <= size


def test_a_very_long_image_is_not_padded_at_its_own_size() -> None:
    image = Image.new("L", (60_000, 1), 255)
    square = PAD.pixels(image)
    assert (square[15] == 255).all()
    assert (np.delete(square, 15, axis=0) == (128, 64, 0)).all()


def test_masks_are_padded_like_images() -> None:
    assert SQUASH.mask(np.ones((40, 80), dtype=bool)).all()
    mask = PAD.mask(np.ones((40, 80), dtype=bool))
    assert mask[8:24].all()
    assert mask.sum() == 16 * 32


@pytest.mark.parametrize("preprocess", [SQUASH, PAD])
@pytest.mark.parametrize("size", [(40, 80), (80, 40), (33, 33)])
def test_a_map_goes_back_to_where_the_image_was(preprocess: Preprocess, size: tuple[int, int]) -> None:
    values = np.zeros(size, dtype=bool)
    values[: size[0] // 2, : size[1] // 2] = True
    back = preprocess.unfit(preprocess.mask(values).astype(np.float32), size)
    assert back.shape == size
    assert ((back > 0.5) == values).mean() > 0.9


def test_a_coarse_map_over_the_padded_square_loses_its_padding() -> None:
    grid = np.zeros((4, 4), dtype=np.float32)
    grid[1:3] = 1
    assert np.array_equal(PAD.unfit(grid, (40, 80)), np.ones((40, 80), dtype=np.float32))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 40), st.integers(8, 400))
def test_a_map_of_one_value_stays_one(height: int, width: int, grid: int, size: int) -> None:
    back = Preprocess(size, MEAN, STD, "pad").unfit(np.full((grid, grid), 0.5, np.float32), (height, width))
    assert back.shape == (height, width)
    np.testing.assert_allclose(back, 0.5, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 40), st.integers(8, 600))
def test_what_was_not_padded_is_only_resized(height: int, width: int, grid: int, size: int) -> None:
    square = np.random.default_rng(0).random((grid, grid), dtype=np.float32)
    back = Preprocess(size, MEAN, STD).unfit(square, (height, width))
    assert np.array_equal(back, resize_map(square, (height, width)))


def test_what_fingerprints_are_made_of_has_not_changed() -> None:
    known = "Preprocess(size=32, mean=(0.5, 0.25, 0.0), std=(0.5, 0.5, 0.5))"
    assert SQUASH.key == known
    assert PAD.key == f"{known}, 'pad'"
    assert SQUASH != PAD


def test_every_field_changes_the_key() -> None:
    others = [replace(SQUASH, size=33), replace(SQUASH, mean=STD), replace(SQUASH, std=MEAN), PAD]
    assert len({SQUASH.key, *(other.key for other in others)}) == 1 + len(others) == 1 + len(fields(SQUASH))


def test_stored_constants_name_the_fit() -> None:
    stored = json.loads(json.dumps(asdict(PAD)))
    assert stored["fit"] == "pad"
    assert Preprocess(stored["size"], tuple(stored["mean"]), tuple(stored["std"]), stored["fit"]) == PAD


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_a_large_map_is_enlarged_in_parts_as_it_is_at_once(fit, monkeypatch):
    preprocess = Preprocess(32, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0), fit)
    square = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    for size in ((40, 70), (333, 200), (32, 900), (20, 50)):
        at_once = preprocess.unfit(square, size)
        monkeypatch.setattr("zerosight.preprocess._AT_ONCE", 1000)
        assert preprocess.unfit(square, size).tobytes() == at_once.tobytes()
        monkeypatch.undo()
