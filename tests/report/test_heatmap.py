"""Heatmaps: a fixed scale, an untouched photo where it is normal, a line that shows where it is not."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image, ImageFilter

from zerosight.report.heatmap import contact_sheet, heatmap, outline, overlay, with_colour_bar
from zerosight.types import Prediction, Region

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 240, 3), dtype=np.uint8))


def square_map(value: float = 0.9) -> np.ndarray:
    """Return a map with one square region, (100, 80) to (140, 120)."""
    anomaly_map = np.full((200, 240), 0.1, np.float32)
    anomaly_map[80:120, 100:140] = value
    return anomaly_map


def test_the_scale_is_fixed() -> None:
    low = np.linspace(0, 0.2, 6, dtype=np.float32)[None]
    colours = np.asarray(heatmap(low)).astype(int)
    assert colours.max() < 130  # a map of small values stays dark
    wide = np.asarray(heatmap(np.concatenate([low, np.ones_like(low)]))).astype(int)
    assert np.array_equal(colours[0], wide[0])  # whatever else is in the image
    assert wide[1].min(axis=1).min() > 150


def test_the_packaged_colours_are_those_of_matplotlib() -> None:
    levels = (np.arange(256) / 255).astype(np.float32)[None]
    expected = colormaps["inferno"](np.arange(256), bytes=True)[:, :3]
    assert np.asarray(heatmap(levels))[0].tobytes() == expected.tobytes()


def test_values_outside_the_scale_are_clipped() -> None:
    wild = np.array([[-1, 0, 1, 2, np.nan]], np.float32)
    tame = np.array([[0, 0, 1, 1, 0]], np.float32)
    assert heatmap(wild).tobytes() == heatmap(tame).tobytes()


def test_lightness_rises_with_the_value() -> None:
    ramp = heatmap(np.linspace(0, 1, 64, dtype=np.float32)[None]).convert("L")
    assert (np.diff(np.asarray(ramp)[0].astype(int)) >= 0).all()


def test_overlay_leaves_the_normal_photo_untouched() -> None:
    colours = np.asarray(overlay(PHOTO, square_map(), 0.5))
    normal = np.ones((200, 240), bool)
    normal[80:120, 100:140] = False
    assert np.array_equal(colours[normal], np.asarray(PHOTO)[normal])
    assert not np.array_equal(colours[~normal], np.asarray(PHOTO)[~normal])


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_opacity_grows_with_the_value(threshold: float) -> None:
    ramp = np.linspace(0, 1, 101, dtype=np.float32)[None]
    black, white = (np.asarray(overlay(Image.new("RGB", (101, 1), c), ramp, threshold)) for c in (0, "white"))
    opacity = 255 - (white.astype(int) - black)[0, :, 0]
    assert (np.diff(opacity) >= -1).all()
    assert opacity[0] == 0 or threshold == 0
    assert opacity[round(100 * threshold)] >= 130 or threshold == 0


def test_outline_frames_a_region_and_hides_nothing_of_it() -> None:
    framed = np.asarray(outline(PHOTO, square_map(), 0.5))
    photo = np.asarray(PHOTO)
    changed = (framed != photo).any(axis=2)
    assert not changed[80:120, 100:140].any()
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) > (70, 119, 90, 139)
    assert rows.max() < 130
    line = framed[:, 120][changed[:, 120]].astype(int)
    assert (line[:, 0] - line[:, 1]).max() > 150  # red
    assert line.min(axis=1).max() > 200  # white


@pytest.mark.parametrize("ground", ["black", "white", (255, 38, 84), "gray"])
def test_outline_shows_on_any_ground(ground: str | tuple[int, int, int]) -> None:
    photo = Image.new("RGB", (240, 200), ground)
    difference = np.abs(np.asarray(outline(photo, square_map(), 0.5)).astype(int) - np.asarray(photo))
    assert (difference.max(axis=2) > 100).sum() > 300


def test_a_single_pixel_of_a_large_image_is_seen() -> None:
    anomaly_map = np.zeros((1500, 1500), np.float32)
    anomaly_map[700, 700] = 1
    framed = np.asarray(outline(Image.new("RGB", (1500, 1500)), anomaly_map, 0.5))
    assert (framed[..., 0] > 200).sum() > 30


def test_the_line_grows_with_the_image() -> None:
    def thickness(side: int) -> int:
        anomaly_map = np.zeros((side, side), np.float32)
        anomaly_map[side // 3 : side // 2, side // 3 : side // 2] = 1
        framed = np.asarray(outline(Image.new("RGB", (side, side)), anomaly_map, 0.5))
        return int((framed[side // 2 :, int(side * 0.4), 0] > 128).sum())

    assert 2 <= thickness(200) < thickness(1600) < thickness(3200)


def test_numbers_stay_inside_and_only_where_they_fit() -> None:
    anomaly_map = np.zeros((200, 240), np.float32)
    anomaly_map[:8, :8] = anomaly_map[-8:, -8:] = 1
    regions = [Region((0, 0, 8, 8), 64, 1.0), Region((232, 192, 240, 200), 64, 1.0)]
    plain, numbered = outline(PHOTO, anomaly_map, 0.5), outline(PHOTO, anomaly_map, 0.5, regions * 40)
    assert plain.tobytes() != numbered.tobytes()
    small = PHOTO.resize((40, 40))
    tiny = np.ascontiguousarray(anomaly_map[:40, :40])
    assert outline(small, tiny, 0.5).tobytes() == outline(small, tiny, 0.5, regions).tobytes()


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_every_mode_of_the_reader_is_drawn_on(mode: str) -> None:
    image = PHOTO.convert(mode)
    assert overlay(image, square_map(), 0.5).mode == "RGB"
    assert outline(image, square_map(), 0.5).size == image.size


@pytest.mark.parametrize("size", [(1, 1), (2000, 3), (3, 2000)])
def test_extreme_shapes(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size)
    for value in (0, 1):
        anomaly_map = np.full((size[1], size[0]), value, np.float32)
        anomaly_map[0, 0] = 1
        assert overlay(image, anomaly_map, 0.5).size == size
        assert outline(image, anomaly_map, 0.5, [Region((0, 0, *size), 1, 1.0)]).size == size


def test_a_map_of_another_size_is_refused() -> None:
    for draw in (overlay, outline):
        with pytest.raises(ValueError, match=r"map of \(5, 5\)"):
            draw(PHOTO, np.zeros((5, 5), np.float32), 0.5)


def test_a_normal_image_is_shown_as_it_is_and_an_anomalous_one_is_marked():
    image = Image.fromarray(np.full((60, 80, 3), 90, np.uint8))
    quiet, loud = np.zeros((60, 80), np.float32), np.zeros((60, 80), np.float32)
    loud[20:40, 30:50] = 0.9
    found = [(image, Prediction("x", 0.1, 0.5, 0.5, scores, ())) for scores in (quiet, loud)]
    sheet = np.asarray(contact_sheet(found, side=60))
    assert sheet.shape == (126, 126, 3)
    photo, below_quiet, below_loud = sheet[:60, :60], sheet[66:, :60], sheet[66:, 66:]
    np.testing.assert_array_equal(photo, below_quiet)
    assert (below_loud != photo).any()


def test_pictures_are_coloured_in_parts_as_they_are_at_once(monkeypatch) -> None:
    ramp = np.linspace(0, 1, 200 * 240, dtype=np.float32).reshape(200, 240)
    at_once = overlay(PHOTO, ramp, 0.4)
    monkeypatch.setattr(sys.modules[overlay.__module__], "_AT_ONCE", 1000)  # the face hides the module's name
    assert overlay(PHOTO, ramp, 0.4).tobytes() == at_once.tobytes()


def test_a_colour_bar_stands_beside_the_picture_and_marks_the_threshold():
    picture = heatmap(np.full((120, 160), 0.2, np.float32))
    sheet = np.asarray(with_colour_bar(picture, 0.3))
    np.testing.assert_array_equal(sheet[:120, :160], np.asarray(picture))
    beside = sheet[:, 160:].astype(int)
    assert (beside[0] == 255).all()
    column = beside[:, int(np.argmin(beside.sum((0, 2))))]
    lightness = column.sum(1)[15:105]
    assert lightness[0] > 600 > 100 > lightness[-1]
    red = (abs(beside - [255, 38, 84]).sum(2) < 60).any(1)
    assert abs(np.flatnonzero(red).mean() - (11 + 0.7 * 97)) < 4
    tiny = with_colour_bar(heatmap(np.zeros((4, 4), np.float32)), 1.0)
    assert tiny.height >= 22


@pytest.mark.parametrize("size", [(3, 2), (97, 211), (640, 200)])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_drawing_where_something_is_changes_no_pixel(size: tuple[int, int], threshold: float) -> None:
    from scipy.ndimage import maximum_filter

    rng = np.random.default_rng(2)
    photo = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    coarse = Image.fromarray(rng.random((4, 4), dtype=np.float32) ** 4)
    values = np.array(coarse.resize(size, Image.Resampling.BILINEAR))
    values[0, 0], values[-1, -1], values[0, -1] = np.nan, np.inf, -np.inf
    module = sys.modules["zerosight.report.heatmap"]

    levels = np.rint(np.nan_to_num(values).clip(0, 1) * 255).astype(np.uint8)
    plain = photo.copy()
    opacity = Image.fromarray(module._opacity(threshold)[levels])
    plain.paste(Image.fromarray(module._colours()[levels]), (0, 0), opacity)
    assert overlay(photo, values, threshold).tobytes() == plain.tobytes()

    inside, plain = values >= threshold, photo.copy()
    if inside.any() and not inside.all():
        width = max(1.5, (size[0] * size[1]) ** 0.5 / 320)
        grown = maximum_filter(inside.view(np.uint8), size=2 * round(1.5 * width) + 1) * np.uint8(255)
        soft = Image.fromarray(grown).filter(ImageFilter.GaussianBlur(width))
        plain.paste(module._HALO, (0, 0), soft.point(module._band(width, 1.0)))
        plain.paste(module._LINE, (0, 0), soft.point(module._band(width, 0.5)))
    assert outline(photo, values, threshold).tobytes() == plain.tobytes()
