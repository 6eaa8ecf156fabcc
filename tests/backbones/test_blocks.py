"""Lean blocks against open_clip's own, in fp32, in bf16, with gradients and with a remembered prefix."""

from __future__ import annotations

import pytest
import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import nn

from zerosight.backbones.blocks import attention, halve, is_lean, linear, run_block
from zerosight.backbones.dual_encoder import KeysValues
from zerosight.backbones.tiny import tiny_encoder
from zerosight.backbones.twin import twin


@pytest.fixture
def block() -> ResidualAttentionBlock:
    torch.manual_seed(0)
    return ResidualAttentionBlock(32, 4, ls_init_value=0.5).eval().requires_grad_(False)


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randn(6, 7, 32, generator=torch.Generator().manual_seed(1))


def causal(length: int) -> torch.Tensor:
    return torch.full((length, length), float("-inf")).triu(1)


@pytest.mark.parametrize("mask", [None, causal(7)])
def test_a_lean_block_is_open_clips_block(block, tokens, mask):
    expected = block(tokens, attn_mask=mask)
    torch.testing.assert_close(run_block(block, tokens, mask)[0], expected, atol=1e-5, rtol=0)
    with torch.inference_mode():
        torch.testing.assert_close(run_block(block, tokens, mask)[0], expected, atol=1e-5, rtol=0)


def test_gradients_of_the_input_are_open_clips(block, tokens):
    ours, theirs = (tokens.clone().requires_grad_() for _ in range(2))
    run_block(block, ours, causal(7))[0].square().sum().backward()
    block(theirs, attn_mask=causal(7)).square().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-5)


def test_a_remembered_prefix_gives_what_the_whole_sequence_gives(block, tokens):
    beginnings, endings = tokens[:2, :4], tokens[:, 4:]
    whole = torch.cat([beginnings.repeat(3, 1, 1), endings], dim=1)
    expected = block(whole, attn_mask=causal(7))[:, 4:]
    _, past = run_block(block, beginnings, causal(4))
    found, _ = run_block(block, endings, causal(7)[4:], past)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_halved_blocks_are_near_and_leave_the_original_alone(block, tokens):
    copied = twin(block)
    assert copied.mlp.c_fc.weight is block.mlp.c_fc.weight
    halve(copied)
    assert copied.attn.in_proj_weight.dtype == torch.bfloat16
    assert copied.ln_1.weight is block.ln_1.weight
    assert block.mlp.c_fc.weight.dtype == torch.float32
    with torch.inference_mode():
        found, expected = run_block(copied, tokens)[0], block(tokens)
    assert found.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 0.05


@pytest.mark.parametrize("count", [5, 1500])
def test_attention_in_bf16_by_parts_is_torchs(count):
    generator = torch.Generator().manual_seed(0)
    query, keys, values = torch.randn(3, 2, 3, count, 8, generator=generator).bfloat16()
    seen = KeysValues(keys, values)
    expected = torch.nn.functional.scaled_dot_product_attention(query, keys, values)
    with torch.inference_mode():
        found = attention(query, seen)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)


def test_linear_takes_inputs_that_lie_scattered():
    inputs, layer = torch.randn(9, 4, 5).transpose(0, 1), nn.Linear(5, 3)
    with torch.inference_mode():
        torch.testing.assert_close(linear(inputs, layer.weight, layer.bias), layer(inputs))
        torch.testing.assert_close(linear(inputs, layer.weight, None), inputs @ layer.weight.T)


def test_blocks_of_another_kind_run_as_they_are():
    assert not is_lean(nn.Identity())
    encoder = tiny_encoder()
    images = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    expected = encoder.tower.plain(images)
    lean = encoder.tower(images)
    encoder.tower.visual.transformer.resblocks[0] = _Wrapped(encoder.tower.visual.transformer.resblocks[0])
    assert not encoder.tower.is_lean
    encoder.tower.halve()
    for found in (lean, encoder.tower(images)):
        for one, two in zip(found, expected, strict=True):
            torch.testing.assert_close(one, two, atol=1e-5, rtol=0)


class _Wrapped(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, tokens: torch.Tensor, attn_mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.block(tokens, attn_mask=attn_mask)
