"""The projection heads: what concatenating the special tokens has in common with their mean."""

from __future__ import annotations

import torch

from zerosight.backbones.mllm.adapters import adapt
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.models.llava_radz.config import RadzConfig
from zerosight.models.llava_radz.model import LlavaRadz, ProjectionHead


def test_equal_shares_of_concatenated_states_are_their_mean():
    torch.manual_seed(0)
    head = ProjectionHead(width=6, hidden=5, dim=4, joined=3)
    states = torch.randn(2, 3, 6)
    with torch.no_grad():
        head.joined.weight.copy_(head.first.weight.repeat(1, 3) / 3)
        head.joined.bias.copy_(head.first.bias)
    torch.testing.assert_close(head.pooled(states), head(states.mean(1)))
    swapped = states[:, [1, 0, 2]]
    torch.testing.assert_close(head.pooled(swapped), head.pooled(states))
    with torch.no_grad():
        head.joined.weight[:, :6] *= 2
    assert not torch.allclose(head.pooled(swapped), head.pooled(states))


def test_local_features_and_maps_do_not_depend_on_the_pooling():
    model = LlavaRadz(adapt(random_mllm()), RadzConfig(dim=4, hidden=5, pool="concat")).eval()
    pixels = torch.randint(0, 255, (2, *2 * (model.preprocess.size,), 3), dtype=torch.uint8)
    with torch.inference_mode():
        seen = model.see(pixels)
        whole, tokens = model.look(seen)
    assert whole.pooled.shape == whole.local.shape == (2, 4)
    assert tokens.shape == (2, model.mllm.grid**2, 4)
    assert "image_head.joined.weight" not in LlavaRadz(adapt(random_mllm())).state_dict()
