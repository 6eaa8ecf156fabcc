"""Tiles: they cover the image, blend without seams, and find what the whole image hides."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

import zerosight
from zerosight.errors import ConfigError
from zerosight.models.card import Thresholds
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.predict.anomalies import Predictor
from zerosight.predict.tiling import Tiling
from zerosight.preprocess import Preprocess

SIZE = 64


class Brightness:
    """A model that calls bright pixels anomalous, and counts its work."""

    preprocess = Preprocess(SIZE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    def __init__(self) -> None:
        self.largest = self.seen = 0

    def score(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.largest, self.seen = max(self.largest, len(pixels)), self.seen + len(pixels)
        maps = pixels.astype(np.float32).mean(-1) / 255
        return maps.max((1, 2)), maps


class PaddedBrightness(Brightness):
    """The same, of images that keep their aspect."""

    preprocess = Preprocess(SIZE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "pad")


def predictor(scorer: Brightness | None = None, **settings: object) -> Predictor:
    card = Vip2ClipCard(name="bright", thresholds=Thresholds(image=0.8, pixel=0.8))
    return Predictor(scorer or Brightness(), card, batch_size=7, **settings)


def photograph(size: int, left: int, top: int) -> np.ndarray:
    """Return a dim, even texture with a bright square of 12 px on it."""
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.standard_normal((size // 4, size // 4)).astype(np.float32), 2)
    grey = (110 + 60 * texture / np.abs(texture).max()).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    grey[top : top + 12, left : left + 12] = 250
    return np.repeat(grey[..., None], 3, axis=2)


@settings(deadline=None)
@given(st.integers(1, 1500), st.integers(1, 1500), st.integers(200, 900), st.floats(0, 0.8))
def test_tiles_cover_every_pixel_and_overlap_enough(width, height, size, overlap):
    boxes = Tiling(size, overlap).boxes(width, height)
    if max(width, height) <= size:
        assert boxes == []
        return
    for low, high, length in ((0, 2, width), (1, 3, height)):
        spans = sorted({(box[low], box[high]) for box in boxes})
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert {stop - start for start, stop in spans} == {min(size, length)}
        shared = [one[1] - two[0] for one, two in pairwise(spans)]
        assert all(common >= size * overlap - 1 for common in shared)


def test_a_planted_defect_of_12_pixels_is_found_in_tiles_and_lost_in_the_whole():
    picture = Image.fromarray(photograph(4000, 2310, 1777))
    [whole] = predictor().predict(picture)
    [tiled] = predictor().tiled(384).predict(picture)
    assert not whole.is_anomalous
    assert whole.regions == ()
    assert tiled.is_anomalous
    [region] = tiled.regions
    left, top, right, bottom = region.box
    assert left <= 2316 < right
    assert top <= 1783 < bottom
    assert max(right - left, bottom - top) <= 24
    assert tiled.anomaly_map.shape == (4000, 4000)


def test_tiles_go_through_in_batches_and_blend_without_seams():
    ramp = np.broadcast_to(np.linspace(0, 255, 500).astype(np.uint8)[:, None, None], (500, 300, 3))
    tiling = predictor().tiled(128, 0.5)
    [found] = tiling.predict(Image.fromarray(np.ascontiguousarray(ramp)))
    assert tiling.scorer.largest == 7
    assert tiling.scorer.seen == 1 + len(Tiling(128, 0.5).boxes(300, 500))
    inner = found.anomaly_map[20:-20]
    np.testing.assert_allclose(inner, ramp[20:-20, :, 0] / 255, atol=0.03)
    assert np.abs(np.diff(found.anomaly_map, axis=1)).max() < 0.01


def test_what_the_whole_image_shows_is_kept():
    """A defect as large as the image looks like nothing in any one tile to a model of local contrast."""

    class Contrast(Brightness):
        def score(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            values = pixels.astype(np.float32).mean(-1) / 255
            maps = np.abs(values - values.mean((1, 2), keepdims=True))
            return maps.max((1, 2)), maps

    half = np.zeros((512, 512, 3), np.uint8)
    half[:, 256:] = 255
    tiled = Predictor(Contrast(), Vip2ClipCard(name="contrast")).tiled(64, 0.0)
    [found] = tiled.predict(half)
    assert found.anomaly_map[:, :200].min() > 0.4
    assert found.score == pytest.approx(0.5, abs=0.01)


def test_an_image_no_larger_than_a_tile_is_scored_as_ever():
    small = np.random.default_rng(0).integers(0, 256, (60, 64, 3), dtype=np.uint8)
    [plain], [tiled] = predictor().predict(small), predictor().tiled().predict(small)
    assert plain.score == tiled.score
    np.testing.assert_array_equal(plain.anomaly_map, tiled.anomaly_map)


def test_a_bad_image_among_tiled_ones_is_recorded(tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    images = [photograph(128, 40, 40), tmp_path / "bad.png"]
    found = list(predictor().tiled(32).predict(images, on_error="skip"))
    assert [type(result).__name__ for result in found] == ["Prediction", "Failure"]


@pytest.mark.parametrize(("size", "overlap", "reason"), [(8, 0.2, "tile"), (64, 0.95, "overlap")])
def test_senseless_tilings_are_refused(size, overlap, reason):
    with pytest.raises(ConfigError, match=f"{reason}: should be"):
        predictor().tiled(size, overlap)


def test_the_shipped_model_finds_the_defect_in_tiles():
    model = zerosight.load()
    picture = photograph(1000, 510, 577)
    [whole], [tiled] = model.predict(picture), model.tiled(320, 0.1).predict(picture)
    near = np.s_[560:606, 493:539]
    assert whole.anomaly_map[near].max() < whole.pixel_threshold < tiled.anomaly_map[near].max()
    assert tiled.score > whole.score


@pytest.mark.parametrize("tile", [None, 200])
def test_padding_moves_no_map(tile: int | None):
    picture = np.zeros((100, 600, 3), np.uint8)
    picture[20:80, 400:460] = 255
    wide = predictor(PaddedBrightness())
    [found] = (wide.tiled(tile) if tile else wide).predict(Image.fromarray(picture))
    [region] = found.regions
    np.testing.assert_allclose(region.box, (400, 20, 460, 80), atol=8)
