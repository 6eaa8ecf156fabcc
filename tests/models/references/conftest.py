from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from zerosight.backbones.tiny import tiny_encoder
from zerosight.models.references.block import Block
from zerosight.models.references.scorer import see_block
from zerosight.models.vip2clip.model import Vip2Clip, Vip2ClipConfig

SIZE = 48


def draw(count: int, seed: int = 0, defects: bool = False) -> np.ndarray:
    """Return pictures of one kind: the same stripes in changing light; defects are bright noise."""
    rng = np.random.default_rng(seed)
    stripes = 100 + 60 * np.sin(np.arange(SIZE) / 3)[None, :, None] * np.ones((SIZE, 1, 3))
    light = rng.uniform(0.9, 1.1, (count, 1, 1, 1))
    images = stripes[None] * light + rng.normal(0, 4, (count, SIZE, SIZE, 3))
    if defects:
        images[:, 16:32, 16:32] = rng.uniform(0, 255, (count, 16, 16, 3))
    return images.clip(0, 255).astype(np.uint8)


def name(count: int, first: int = 0) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names and hashes of some images."""
    index = range(first, first + count)
    return tuple(f"{i}.png" for i in index), tuple(f"hash{i}" for i in index)


@pytest.fixture(scope="session")
def pictures() -> Callable[..., np.ndarray]:
    """Return what draws pictures."""
    return draw


@pytest.fixture(scope="session")
def names_of() -> Callable[..., tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return what names them."""
    return name


@pytest.fixture(scope="session")
def base() -> Vip2Clip:
    torch.manual_seed(1)
    return Vip2Clip(tiny_encoder(3, SIZE), Vip2ClipConfig(top_k=7)).eval()


@pytest.fixture(scope="session")
def block(base: Vip2Clip) -> Block:
    return see_block(base, draw(12), *name(12))
