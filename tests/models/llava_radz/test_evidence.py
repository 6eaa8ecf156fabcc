"""Evidence: each way held to what it claims, on a random miniature."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from zerosight.backbones.mllm.adapters import adapt
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.choices import MapName
from zerosight.models.llava_radz.anchors import Anchors
from zerosight.models.llava_radz.evidence import (
    MAPS,
    SCALES,
    contrast,
    evidence_grids,
    gradient,
    joint,
    occlusion,
    projector,
    relevance,
    steps,
)
from zerosight.models.llava_radz.model import LlavaRadz


@pytest.fixture(scope="module")
def model() -> LlavaRadz:
    torch.manual_seed(0)
    return LlavaRadz(adapt(random_mllm())).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def seen(model: LlavaRadz) -> torch.Tensor:
    size = model.mllm.preprocess.size
    generator = torch.Generator().manual_seed(1)
    return model.mllm.see(torch.randint(0, 256, (1, size, size, 3), dtype=torch.uint8, generator=generator))


@pytest.fixture(scope="module")
def vectors(model: LlavaRadz) -> torch.Tensor:
    return torch.randn(2, model.config.dim, generator=torch.Generator().manual_seed(2))


def log_odds(model: LlavaRadz, tokens: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    return (model.image_head.pooled(model.mllm.encode_projected(tokens).cls) @ vectors.T)[0]


def test_every_way_has_a_name_and_a_scale_and_fits_the_grid(model, seen, vectors):
    assert set(MAPS) == set(SCALES) == set(get_args(MapName))
    for name, way in MAPS.items():
        found = way(model, seen, vectors)
        assert found.shape == (2, model.mllm.grid**2), name
        assert found.isfinite().all(), name
        assert not found.requires_grad, name


def test_contrast_and_steps_are_those_of_the_states(model, seen, vectors):
    tokens = model.look(seen)[1][0]
    found = contrast(model, seen, vectors)
    torch.testing.assert_close(found[1, 5], tokens[5] @ vectors[1])
    rise = steps(model, seen, vectors)
    assert rise[0, 0] == 0
    torch.testing.assert_close(rise.cumsum(1), found - found[:, :1], atol=1e-5, rtol=1e-4)


def test_before_the_decoder_no_token_knows_another(model, seen, vectors):
    before = projector(model, seen, vectors)
    moved = seen.clone()
    moved[:, 0] += 1
    after = projector(model, moved, vectors)
    assert not torch.allclose(after[:, 0], before[:, 0])
    torch.testing.assert_close(after[:, 1:], before[:, 1:])
    assert not torch.allclose(contrast(model, moved, vectors)[:, 1:], contrast(model, seen, vectors)[:, 1:])


def test_gradient_is_the_slope_towards_the_mean_token(model, seen, vectors):
    tokens, place, step = model.mllm.project(seen), 4, 0.02
    away = tokens[:, place] - tokens.mean(1)
    sides = []
    for sign in (1, -1):
        moved = tokens.clone()
        moved[:, place] += sign * step * away
        sides.append(log_odds(model, moved, vectors))
    slope = (sides[0] - sides[1]) / (2 * step)
    found = gradient(model, seen, vectors)[:, place] / model.mllm.grid**2
    torch.testing.assert_close(found, slope, atol=1e-4, rtol=1e-2)


def test_occlusion_is_the_drop_where_a_block_is_hidden(model, seen, vectors):
    side = model.mllm.grid
    tokens = model.mllm.project(seen)
    hidden = tokens.clone()
    for place in (0, 1, side, side + 1):  # around the first token, cut off at the corner
        hidden[:, place] = tokens.mean(1)
    drop = log_odds(model, tokens, vectors) - log_odds(model, hidden, vectors)
    found = occlusion(model, seen, vectors)[:, 0]
    torch.testing.assert_close(found, drop / 4 * side**2, atol=1e-4, rtol=1e-3)


def test_relevance_is_that_of_one_layer_written_out(model, seen, vectors):
    mllm = model.mllm
    with torch.enable_grad():
        cls, weights = mllm.attend_projected(mllm.project(seen).requires_grad_())
        [*slopes] = torch.autograd.grad((model.image_head(cls.mean(1)) @ vectors[0]).sum(), weights)
    carried = torch.eye(weights[0].shape[-1])
    for weight, slope in zip(weights, slopes, strict=True):
        heads = [torch.relu(w * s) for w, s in zip(weight[0], slope[0], strict=True)]
        carried = carried + torch.stack(heads).mean(0) @ carried
    tokens = slice(mllm.first_token, mllm.first_token + mllm.grid**2)
    expected = carried[-mllm.config.cls_tokens :, tokens].mean(0) * mllm.grid**2
    torch.testing.assert_close(relevance(model, seen, vectors)[0].exp(), expected.clamp(min=1e-6).detach())


def test_joint_softens_relevance_times_the_tokens_own_probability(model, seen, vectors):
    side = model.mllm.grid
    both = relevance(model, seen, vectors).exp() * torch.sigmoid(projector(model, seen, vectors))
    grid = both[0].reshape(side, side)
    weights = torch.exp(-2.0 * torch.arange(side) ** 2)
    weights = weights / weights.sum()
    corner = (weights[:, None] * weights[None] * grid).sum()
    torch.testing.assert_close(joint(model, seen, vectors)[0, 0].exp(), corner)
    flat = torch.zeros_like(vectors)
    torch.testing.assert_close(joint(model, seen, flat), torch.full((2, side**2), 1e-6).log())


def test_grids_are_on_a_fixed_scale_inside_inference_too(model, seen, vectors):
    unit = torch.nn.functional.normalize(vectors, dim=-1)
    anchors = Anchors(("mass", "nodule"), unit, -unit, unit[0], "train-only", "key")
    for name in MAPS:
        plain = evidence_grids(name, model, seen, anchors)
        assert plain.shape == (2, model.mllm.grid, model.mllm.grid)
        assert 0 <= plain.min() <= plain.max() <= 1
        with torch.inference_mode():
            torch.testing.assert_close(evidence_grids(name, model, seen.clone(), anchors), plain)
    one = evidence_grids("gradient", model, seen, anchors.select(["nodule"]))
    torch.testing.assert_close(one[0], evidence_grids("gradient", model, seen, anchors)[1])
