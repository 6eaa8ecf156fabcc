"""Counted operations against sums by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from zerosight.backbones.flops import count_flops
from zerosight.backbones.tiny import tiny_encoder
from zerosight.models.vip2clip.fgp import FineGrainedPerception


def test_the_image_tower_of_a_miniature():
    encoder = tiny_encoder(image_size=32, blocks=(2, 4))
    images = torch.randn(3, 3, 32, 32)
    tokens, width, joint, patch = 17, 64, 48, 8
    embedding = 2 * (tokens - 1) * width * 3 * patch**2
    products = 2 * tokens * width * (3 * width + width + 4 * width + 4 * width)
    attention = 2 * 2 * tokens**2 * width
    projections = 2 * joint * width * (1 + 2 * tokens)
    expected = 3 * (embedding + 4 * (products + attention) + projections)
    assert count_flops(lambda: encoder.encode_image(images)) == expected


def test_what_is_counted_does_not_depend_on_who_multiplies():
    weight = torch.randn(5, 7)
    inputs = torch.randn(3, 7)
    assert count_flops(lambda: F.linear(inputs, weight)) == 2 * 3 * 7 * 5
    fgp = FineGrainedPerception(16, heads=2).requires_grad_(False)
    text, patches = torch.randn(1, 2, 16), torch.randn(1, 9, 16)
    heads, queries, dim, count = 2, 2, 16, 9
    folded = 2 * queries * dim * dim * 4 + 2 * 2 * heads * queries * count * dim
    assert count_flops(lambda: fgp(text, patches)) == folded
    assert count_flops(lambda: None) == 0


def test_a_layer_of_attention_that_runs_at_once_is_counted_as_its_parts() -> None:
    layer = nn.MultiheadAttention(16, 2, batch_first=True).eval()
    tokens = torch.randn(3, 5, 16)
    products = 2 * 3 * 5 * 16 * (3 * 16 + 16)  # queries, keys and values; the output
    assert count_flops(lambda: layer(tokens, tokens, tokens)) == products + 2 * 2 * 3 * 5 * 5 * 16
