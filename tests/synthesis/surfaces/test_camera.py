"""The camera: repeatable, of the right range, noise only where asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zerosight.synthesis.surfaces.camera import Look, develop, draw_look, expose


def _plain_look(size: int) -> Look:
    return Look(
        colour=1.0,
        gain=1.0,
        level=0.5,
        cast=(1.0, 1.0, 1.0),
        gamma=1.0,
        light=np.ones((size, size), dtype=np.float32),
        blur=0.0,
        shrink=1.0,
        grain=0.0,
        clump=1.0,
        quality=None,
    )


def _picture(size: int = 64) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (size, size, 3)).astype(np.float32)


def test_a_plain_look_changes_nothing() -> None:
    picture = _picture()
    developed = develop(picture, _plain_look(64), 0.5)
    np.testing.assert_allclose(developed, picture, atol=1e-6)
    image = expose(np.random.default_rng(0), developed, _plain_look(64))
    np.testing.assert_array_equal(image, (picture * 255 + 0.5).astype(np.uint8))


def test_grey_looks_have_no_colour() -> None:
    developed = develop(_picture(), replace(_plain_look(64), colour=0.0), 0.5)
    assert np.ptp(developed, axis=2).max() < 1e-6


def test_random_looks_give_valid_repeatable_images() -> None:
    for seed in range(12):
        look = draw_look(np.random.default_rng(seed), 64, "anatomy" if seed % 3 == 0 else "texture")
        developed = develop(_picture(), look, 0.5)
        assert 0 <= developed.min() <= developed.max() <= 1
        first, second = (expose(np.random.default_rng(1), developed, look) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert first.shape == (64, 64, 3)
