"""Turned copies: where a patch comes from, what chooses them, what they gain and never lose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zerosight.models.references.fit import add_block, build, choose_augment
from zerosight.models.references.scorer import see_block
from zerosight.models.references.turning import TURNS, Turn

SIZE = 48


def arrows(count: int, seed: int, turned: bool, defects: bool = False) -> np.ndarray:
    """Return pictures of an arrow on a plain ground; turned ones lie in any of eight positions."""
    rng = np.random.default_rng(seed)
    shape = np.full((SIZE, SIZE, 3), 90.0)
    shape[8:40, 8:16] = (220, 160, 60)
    shape[8:16, 16:40] = (60, 200, 220)
    shape[24:32, 16:28] = (200, 60, 180)
    images = np.repeat(shape[None], count, 0)
    if defects:
        images[:, 24:32, 22:28] = 90
    images = (images + rng.normal(0, 5, images.shape)).clip(0, 255).astype(np.uint8)
    if turned:
        ways = [Turn(0, False), *TURNS["turns"]]
        images = np.concatenate([ways[rng.integers(8)](image[None]) for image in images])
    return images


@pytest.mark.parametrize("turn", [Turn(0, False), *TURNS["turns"]])
def test_every_patch_is_known_by_its_place(turn):
    pixels = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(3, -1)
    assert turn(pixels)[0, :, :, 0].ravel().tolist() == turn.places(16)
    assert len(set(turn.places(16))) == 16


def right(base, block, normal, anomalous, names_of) -> float:
    """Return how often an anomalous image is farther from the normal ones than a normal image is."""
    seen = see_block(base, np.concatenate([normal, anomalous]), *names_of(len(normal) + len(anomalous)))
    sources = build(base, add_block(None, block)).references.sources(seen.words, seen.levels)[:, -1]
    near, far = sources.topk(4).values.mean(1).split([len(normal), len(anomalous)])
    return float((far[:, None] > near).float().mean())


def test_what_comes_in_any_position_gains(base, names_of):
    block = see_block(base, arrows(3, 1, turned=True), *names_of(3), turns=TURNS["turns"])
    assert choose_augment(block) == "turns"
    judged = arrows(16, 2, turned=True), arrows(16, 3, turned=True, defects=True)
    plain, turned = (right(base, block.only(augment), *judged, names_of) for augment in ("none", "turns"))
    assert turned > 0.9
    assert turned > plain + 0.1


def test_what_always_lies_the_same_way_loses_nothing(base, names_of):
    block = see_block(base, arrows(3, 1, turned=False), *names_of(3), turns=TURNS["turns"])
    assert choose_augment(block) == "none"
    normal, upside_down = arrows(16, 2, turned=False), Turn(2, False)(arrows(16, 3, turned=False))
    plain, turned = (
        right(base, block.only(augment), normal, upside_down, names_of) for augment in ("none", "turns")
    )
    assert plain > 0.95
    assert turned < 0.8  # what copies would have cost


def test_own_copies_do_not_explain_an_image(base, names_of):
    block = see_block(base, arrows(4, 1, turned=False), *names_of(4), turns=TURNS["flips"])
    strange = see_block(base, 255 - arrows(1, 2, turned=False), *names_of(1, 9), turns=TURNS["flips"])
    both = add_block(add_block(None, block), strange)
    distances = both.held_out[:, -1].mean(1)
    assert distances[-1] > 2 * distances[:-1].max()
    assert both.augment == "flips"


def test_a_single_normal_and_its_copies_are_judged_by_halves(base, names_of):
    normals = add_block(None, see_block(base, arrows(1, 1, False), *names_of(1), turns=TURNS["turns"]))
    assert torch.isfinite(normals.held_out).all()
    assert len(normals) == 1
