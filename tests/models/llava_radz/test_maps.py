from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.models.llava_radz.config import RadzConfig
from zerosight.models.llava_radz.maps import at_image_size, attention_grid, contrast_grids, similarity_grids
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.preprocess import Preprocess

PAD = Preprocess(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "pad")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def bilinear(grid: np.ndarray, size: tuple[int, int], side: int) -> np.ndarray:
    """Read a grid over the padded square at the centre of each image pixel, slowly."""
    height, width = size
    longer = max(size)
    scaled = max(1, round(height * side / longer)), max(1, round(width * side / longer))
    first = (side - scaled[0]) // 2, (side - scaled[1]) // 2
    n = len(grid)
    found = np.empty(size)
    for row in range(height):
        for column in range(width):
            at = [
                (first[axis] + (place + 0.5) * scaled[axis] / size[axis]) * n / side - 0.5
                for axis, place in enumerate((row, column))
            ]
            y, x = np.clip(at, 0, n - 1)
            top, left = min(int(y), n - 2), min(int(x), n - 2)
            dy, dx = y - top, x - left
            upper = (1 - dx) * grid[top, left] + dx * grid[top, left + 1]
            lower = (1 - dx) * grid[top + 1, left] + dx * grid[top + 1, left + 1]
            found[row, column] = (1 - dy) * upper + dy * lower
    return found


def test_similarity_is_the_cosine_on_a_fixed_scale():
    tokens, vectors = random(9, 5), random(2, 5, seed=1)
    grids = similarity_grids(tokens, vectors)
    t, v = tokens[5].numpy(), vectors[1].numpy()
    assert grids.shape == (2, 3, 3)
    assert grids[1, 1, 2].item() == pytest.approx(
        (1 + t @ v / np.linalg.norm(t) / np.linalg.norm(v)) / 2, abs=1e-6
    )
    own = similarity_grids(tokens, tokens[:1])
    opposite = similarity_grids(tokens, -tokens[:1])
    assert own[0, 0, 0].item() == pytest.approx(1, abs=1e-6)
    assert opposite[0, 0, 0].item() == pytest.approx(0, abs=1e-6)


def test_a_flat_image_gives_a_flat_map_that_is_not_stretched():
    tokens = random(1, 5).expand(16, 5)
    grid = similarity_grids(tokens, random(1, 5, seed=1))
    maps = at_image_size(grid, PAD, (30, 40))
    assert np.ptp(maps) < 1e-6
    assert maps[0, 0, 0] == pytest.approx(grid[0, 0, 0].item(), abs=1e-6)


def test_contrast_is_the_softmax_over_presence_and_its_opposite():
    tokens, presence, absence = random(4, 5), random(3, 5, seed=1), random(3, 5, seed=2)
    found = contrast_grids(tokens, presence, absence, 0.1)
    cosine = torch.nn.functional.cosine_similarity
    logits = torch.stack([cosine(tokens[3], presence[2], 0), cosine(tokens[3], absence[2], 0)]) / 0.1
    assert found[2, 1, 1].item() == pytest.approx(logits.softmax(0)[0].item(), abs=1e-6)
    assert torch.allclose(contrast_grids(tokens, presence, presence, 0.1), torch.tensor(0.5))


def test_attention_is_relative_to_looking_everywhere_alike():
    assert torch.allclose(attention_grid(torch.full((4, 4), 0.01)), torch.tensor(0.5))
    twice = torch.ones(2, 2)
    twice[0] = 0
    assert torch.allclose(attention_grid(twice), torch.tensor([[0.0, 0.0], [2 / 3, 2 / 3]]))
    assert torch.equal(attention_grid(torch.zeros(3, 3)), torch.zeros(3, 3))


@pytest.mark.parametrize("size", [(64, 64), (90, 70), (70, 133), (200, 20), (64, 100)])
def test_maps_agree_with_a_slow_reference(size):
    grids = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(3))
    maps = at_image_size(grids, PAD, size)
    assert maps.shape == (2, *size)
    np.testing.assert_allclose(maps[1], bilinear(grids[1].numpy(), size, 64), atol=1e-5)


@pytest.mark.parametrize("size", [(40, 80), (80, 40)])
def test_a_mark_in_the_image_is_a_mark_in_the_map_at_its_place(size):
    """Draw a bright square, preprocess it, take block means for tokens, and find it again."""
    image = np.zeros(size, dtype=np.uint8)
    image[20:30, 25:35] = 255
    pixels = PAD.pixels(Image.fromarray(image))[..., 0].astype(np.float32) / 255
    blocks = torch.tensor(pixels.reshape(16, 4, 16, 4).mean((1, 3)))
    padding = torch.tensor(PAD.pixels(Image.new("L", size[::-1]))[..., 0].reshape(16, 4, 16, 4).mean((1, 3)))
    blocks = torch.where(padding > 100, torch.zeros(()), blocks)
    found = at_image_size(blocks[None], PAD, size)[0]
    row, column = np.unravel_index(found.argmax(), size)
    assert 20 <= row < 30
    assert 25 <= column < 35
    assert found[:10].max() < 0.2


def test_tokens_that_form_no_square_are_refused():
    with pytest.raises(ValueError, match="8 image tokens form no square grid"):
        similarity_grids(random(8, 5), random(1, 5))


@given(st.integers(1, 150), st.integers(1, 150), st.sampled_from(["pad", "squash"]))
def test_maps_have_the_images_size_and_stay_in_range(height, width, fit):
    grids = torch.rand(1, 3, 3, generator=torch.Generator().manual_seed(height))
    maps = at_image_size(grids, Preprocess(32, (0.5,) * 3, (0.5,) * 3, fit), (height, width))
    assert maps.shape == (1, height, width)
    assert maps.dtype == np.float32
    assert 0 <= maps.min() <= maps.max() <= 1


@pytest.mark.parametrize("shape", ["llava", "llava-qwen"])
def test_a_language_models_maps_cover_the_image(shape):
    radz = LlavaRadz(random_mllm(shape), RadzConfig(dim=8)).eval()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70), dtype=np.uint8))
    preprocess = radz.mllm.preprocess
    with torch.no_grad():
        seen = radz.mllm.see(torch.tensor(preprocess.pixels(image))[None])
        grids = similarity_grids(radz.look(seen)[1][0], random(3, 8))
        look = attention_grid(radz.mllm.attention(seen)[0])
    maps = at_image_size(torch.cat([grids, look[None]]), preprocess, (50, 70))
    assert maps.shape == (4, 50, 70)
    assert np.isfinite(maps).all()
