"""FGP: folded against the printed formula, forward and gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from zerosight.models.vip2clip.fgp import FineGrainedPerception


@pytest.fixture
def case() -> tuple[FineGrainedPerception, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    module = FineGrainedPerception(24, heads=4).double()
    text = F.normalize(torch.randn(3, 2, 24, dtype=torch.float64), dim=-1)
    patches = F.normalize(torch.randn(3, 50, 24, dtype=torch.float64), dim=-1)
    return module, text, patches


def test_folded_equals_plain(case):
    module, text, patches = case
    torch.testing.assert_close(module(text, patches), module.plain(text, patches), atol=1e-12, rtol=0)


def test_gradients_of_folded_equal_those_of_plain(case):
    module, text, patches = case
    weight = torch.randn(3, 2, 24, dtype=torch.float64)
    gradients = []
    for forward in (module.forward, module.plain):
        module.zero_grad()
        (forward(text, patches) * weight).sum().backward()
        gradients.append(
            {
                name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
                for name, p in module.named_parameters()
            }
        )
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name], atol=1e-12, rtol=0, msg=name)


def test_plain_equals_a_loop_over_heads(case):
    module, text, patches = case
    query, key, value = module.query(text), module.key(patches), module.value(patches)
    heads = []
    for head in range(4):
        part = slice(6 * head, 6 * head + 6)
        weights = torch.softmax(query[..., part] @ key[..., part].mT, dim=-1)
        heads.append(weights @ value[..., part])
    expected = F.normalize(module.output(torch.cat(heads, -1)), dim=-1)
    torch.testing.assert_close(module.plain(text, patches), expected)


def test_result_is_unit_length_and_permutation_of_patches_changes_nothing(case):
    module, text, patches = case
    result = module(text, patches)
    torch.testing.assert_close(result.norm(dim=-1), torch.ones(3, 2, dtype=torch.float64))
    torch.testing.assert_close(module(text, patches[:, torch.randperm(50)]), result)
