"""Canvas: body coordinates and pixels agree; outlines keep their area."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.synthesis.chests.canvas import inwards, make_canvas, ribbon, rounded

SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


@settings(max_examples=20, deadline=None)
@given(
    turn=st.floats(-0.5, 0.5), zoom=st.floats(0.6, 1.3), right=st.floats(-0.2, 0.2), down=st.floats(-0.2, 0.2)
)
def test_pixels_and_coordinates_are_each_others_inverse(
    turn: float, zoom: float, right: float, down: float
) -> None:
    canvas = make_canvas(64, turn, zoom, (right, down))
    body = np.stack([canvas.x.ravel(), canvas.y.ravel()], axis=1).astype(np.float64)
    rows, columns = np.mgrid[:64, :64] + 0.5
    np.testing.assert_allclose(
        canvas.pixels(body), np.stack([columns.ravel(), rows.ravel()], axis=1), atol=1e-3
    )


def test_an_area_covers_what_it_should() -> None:
    canvas = make_canvas(200, 0.3, 0.9)
    assert canvas.area(SQUARE).mean() == pytest.approx(0.25 * 0.81, rel=0.02)
    assert canvas.area(SQUARE)[100, 100] == 1
    assert canvas.area(SQUARE)[0, 0] == 0


def test_blobs_and_ellipses_lie_at_their_centre() -> None:
    canvas = make_canvas(100)
    blob = canvas.blob((0.4, -0.2), (0.1, 0.05))
    assert np.unravel_index(blob.argmax(), blob.shape) in {(39, 69), (40, 69), (39, 70), (40, 70)}
    assert blob.max() == pytest.approx(1, abs=0.05)
    outside = canvas.blob((3.0, 3.0), (0.1, 0.1))
    assert not outside.any()
    assert canvas.ellipse((0.4, -0.2), (0.1, 0.05)).min() < 0.05


def test_no_lines_make_an_empty_plane() -> None:
    canvas = make_canvas(64)
    assert not canvas.lines([], [], []).any()
    path = np.array([(-0.5, 0.0), (0.5, 0.0)])
    assert canvas.lines([path], [0.1], [0.5]).max() == pytest.approx(0.5, abs=0.01)


def test_rounding_shrinks_corners_and_keeps_open_ends() -> None:
    assert np.abs(rounded(SQUARE)).max() <= 0.5
    opened = rounded(SQUARE, closed=False)
    np.testing.assert_allclose(opened[[0, -1]], SQUARE[[0, -1]])


def test_a_ribbon_is_as_wide_as_asked() -> None:
    path = np.stack([np.linspace(0, 1, 11), np.zeros(11)], axis=1)
    outline = ribbon(path, np.full(11, 0.05))
    assert np.abs(outline[:, 1]).max() == pytest.approx(0.05)


def test_inwards_rises_from_the_rim() -> None:
    area = np.zeros((40, 40), dtype=np.float32)
    area[10:30, 10:30] = 1
    depth = inwards(area, 10, 1)
    assert depth[0, 0] == 0
    assert depth[12, 20] == pytest.approx(0.3, abs=0.05)
    assert depth[20, 20] == pytest.approx(1, abs=0.05)
