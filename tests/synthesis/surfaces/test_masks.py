"""Masks: tight around what is seen, empty where nothing is."""

from __future__ import annotations

import numpy as np

from zerosight.synthesis.surfaces.masks import activity, changed, visible_mask


def _mask(before: np.ndarray, after: np.ndarray, within: np.ndarray, grain: float = 0.0) -> np.ndarray:
    return visible_mask(changed(before, after, activity(before, grain)), within)


def _scene(noise: float, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    before = (0.5 + noise * rng.standard_normal((80, 80, 3))).astype(np.float32)
    within = np.zeros((80, 80), dtype=np.float32)
    within[30:50, 20:60] = 1
    return before, before + np.float32(shift) * within[..., None], within


def test_mask_is_the_changed_square() -> None:
    before, after, within = _scene(0.01, 0.2)
    mask = _mask(before, after, within)
    np.testing.assert_array_equal(mask, within > 0)


def test_what_cannot_be_seen_is_not_marked() -> None:
    assert not _mask(*_scene(0.01, 0.0)).any()
    assert not _mask(*_scene(0.01, 0.01)).any()
    assert _mask(*_scene(0.0, 0.1)).any()
    assert not _mask(*_scene(0.5, 0.05)).any()
    assert not _mask(*_scene(0.0, 0.05), grain=0.3).any()


def test_gaps_are_closed_and_changes_elsewhere_ignored() -> None:
    before, after, within = _scene(0.0, 0.3)
    after[38:40, 38:40] = before[38:40, 38:40]
    after[5, 5] += 1
    mask = _mask(before, after, within)
    assert mask[38:40, 38:40].all()
    assert not mask[:20].any()


def test_a_change_of_hue_alone_is_seen() -> None:
    before = np.full((80, 80, 3), 0.5, dtype=np.float32)
    after = before.copy()
    after[30:50, 30:50] += np.asarray([0.3, -0.153, 0.0], dtype=np.float32)
    assert _mask(before, after, np.ones((80, 80), dtype=np.float32)).sum() > 300
