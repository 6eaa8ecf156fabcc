"""Physics: dense tissue is bright, and the frame is what was asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zerosight.synthesis.chests.physics import Exposure, draw_exposure, expose

PLAIN = Exposure(8.0, 0.1, 0.5, (0.0, 0.0), 1.0, 0.0, (0.0, 0.0, 0.0, 0.0), 0.0, "", (0.9, 0.1), 0.0)


def _step() -> np.ndarray:
    plane = np.full((100, 100), 1.0, dtype=np.float32)
    plane[:, 50:] = 3.0
    return plane


def test_more_attenuation_is_brighter() -> None:
    image = expose(_step(), PLAIN, np.random.default_rng(0))
    assert image[:, 60:].mean() > image[:, :40].mean() + 100


def test_gamma_darkens_and_a_flat_picture_stays_finite() -> None:
    flat = np.zeros((64, 64), dtype=np.float32)
    assert expose(flat, PLAIN, np.random.default_rng(0)).dtype == np.uint8
    dark = expose(_step(), replace(PLAIN, gamma=1.6), np.random.default_rng(0))
    assert dark.mean() < expose(_step(), PLAIN, np.random.default_rng(0)).mean()


def test_margins_and_markers_are_drawn() -> None:
    framed = expose(
        _step(), replace(PLAIN, margins=(0.1, 0.0, 0.0, 0.05), paper=1.0), np.random.default_rng(0)
    )
    assert (framed[:, :10] == 255).all()
    assert (framed[95:] == 255).all()
    assert (framed[:90, 12:] < 255).any()
    plain = expose(_step(), PLAIN, np.random.default_rng(0))
    marked = expose(_step(), replace(PLAIN, marker="L", place=(0.3, 0.3)), np.random.default_rng(0))
    changed = np.argwhere(plain != marked)
    assert len(changed)
    assert np.abs(changed - 30).max() < 8


def test_how_a_picture_is_taken_follows_the_generator() -> None:
    assert draw_exposure(np.random.default_rng(3), True) == draw_exposure(np.random.default_rng(3), True)
    markers = {draw_exposure(np.random.default_rng(k), False).marker for k in range(60)}
    assert {"", "L", "R", "L PA"} <= markers
