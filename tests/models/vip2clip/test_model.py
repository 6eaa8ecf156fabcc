"""The whole model: shortcuts against the plain formulation, for several shapes."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from zerosight.backbones.dual_encoder import ImageFeatures
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import ConfigError
from zerosight.models.vip2clip.model import Alignment, Vip2Clip, Vip2ClipConfig


def compare(left: Alignment, right: Alignment, tolerance: float = 1e-5) -> None:
    for field in dataclasses.fields(Alignment):
        torch.testing.assert_close(
            getattr(left, field.name), getattr(right, field.name), atol=tolerance, rtol=0, msg=field.name
        )


@pytest.mark.parametrize(
    ("size", "blocks", "settings"),
    [
        (48, None, {}),
        (32, (4,), {"n_context": 1, "n_conditioned": 1}),
        (64, (1, 3), {"n_context": 9, "n_conditioned": 5, "heads": 2, "hidden": 16}),
    ],
)
def test_short_prompts_and_folded_fgp_equal_the_plain_formulation(size, blocks, settings):
    torch.manual_seed(0)
    model = Vip2Clip(tiny_encoder(1, size, blocks), Vip2ClipConfig(**settings))
    features = model.encoder.encode_image(torch.randn(2, 3, size, size))
    compare(model(features), model.plain(features))
    compare(model(features, model.read_prefix()), model.plain(features))


def test_the_prefix_is_what_does_not_depend_on_the_image(model):
    prefix = model.read_prefix()
    assert prefix.length == 1 + 7 + 1
    assert model.ica.beginnings().shape[1] + model.ica.endings(torch.zeros(1, 48)).shape[1] == 13
    assert not any(block.keys.requires_grad for block in prefix.blocks)


def test_a_batch_equals_its_images_one_by_one(model, features):
    whole = model(features)
    for i in range(3):
        one = ImageFeatures(features.pooled[i : i + 1], features.patches[:, i : i + 1])
        torch.testing.assert_close(model(one).scores, whole.scores[i : i + 1], atol=1e-5, rtol=0)


def test_only_the_adapters_are_trained_and_saved(model, features):
    model(features).scores.sum().backward()
    assert {name.split(".")[0] for name in model.state_dict()} == {"ica", "fgp"}
    assert all(not p.requires_grad for p in model.encoder.model.parameters())
    # The output projection's bias always moves; the key bias cancels and never does.
    assert model.fgp.output.bias.grad.abs().sum() > 0


def test_the_published_quirk_is_a_switch():
    encoder = tiny_encoder(0)
    ours, published = Vip2Clip(encoder), Vip2Clip(encoder, Vip2ClipConfig(normal_word="damaged"))
    assert not torch.equal(ours.ica.word_normal, ours.ica.word_abnormal)
    assert torch.equal(published.ica.word_normal, published.ica.word_abnormal)


def test_a_prompt_that_is_too_long_is_refused():
    with pytest.raises(ConfigError, match="the text tower reads 77; use fewer"):
        Vip2Clip(tiny_encoder(), Vip2ClipConfig(n_context=90))


def test_heads_must_divide_the_width():
    with pytest.raises(ConfigError, match="heads: should divide the joint width 48, got 7"):
        Vip2Clip(tiny_encoder(), Vip2ClipConfig(heads=7))
