"""Detectors: whole and in parts on a tiny encoder, saved, loaded and used like any model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zerosight
from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.dual_encoder import ImageFeatures
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import ConfigError, WeightsError
from zerosight.models.baselines import BaselineCard, Detector, DetectorConfig, load_baseline, save_baseline
from zerosight.models.vip2clip.model import Vip2Clip

HEADS, LINEAR, PROMPTS = ({"kind": kind} for kind in ("heads", "linear", "prompts"))


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder()


@pytest.fixture(scope="module")
def features(encoder):
    return encoder.encode_image(torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0)))


def detector(encoder, **values) -> Detector:
    """Return a detector of a configuration, with the weights of seed 0."""
    torch.manual_seed(0)
    return Detector(encoder, DetectorConfig.parse(values)).eval().requires_grad_(False)


def test_the_whole_method_is_the_model_itself(encoder, features):
    torch.manual_seed(0)
    model = Vip2Clip(encoder)
    expected, found = model(features), detector(encoder)(features)
    assert torch.allclose(found.scores, expected.scores, atol=1e-6)
    maps = detector(encoder).anomaly_maps(found, 48)
    assert torch.allclose(maps, model.anomaly_maps(expected, 48), atol=1e-6)


def test_without_conditions_and_perception_prompts_know_nothing_of_the_image(encoder, features):
    other = ImageFeatures(features.pooled.flip(0), features.patches)
    for conditions in ("nothing", "none"):
        static = detector(encoder, method={"conditions": conditions, "perception": []})
        assert torch.equal(static(features).patch_logits, static(other).patch_logits)
        assert not torch.equal(
            detector(encoder)(features).patch_logits, detector(encoder)(other).patch_logits
        )
    fewer = sum(p.numel() for p in detector(encoder, method={"conditions": "none"}).parameters())
    assert fewer < sum(p.numel() for p in detector(encoder).parameters())


@pytest.mark.parametrize("conditions", ["nothing", "none"])
def test_static_prompts_read_once_say_the_same_to_the_bit(encoder, features, conditions):
    made = detector(encoder, method={"conditions": conditions}, name="object")
    text = made.read_static()
    for pooled in features.pooled:  # as every image was read for itself
        assert torch.equal(text, made.network.model.read_prompts(pooled[None]))
    once = made(features, text)
    anew = made.network.model(features).cosines / made.network.temperature
    assert torch.allclose(once.patch_logits, anew, atol=1e-5)
    assert torch.equal(once.patch_logits, made(features).patch_logits)
    assert torch.equal(once.image_logits, made(features).image_logits)
    assert all(detector(encoder, method=method).read_static() is None for method in ({}, HEADS))


def test_the_fgp_looks_where_it_is_told(encoder, features):
    one = detector(encoder, method={"perception": [2]})(features).patch_logits
    none = detector(encoder, method={"perception": []})(features).patch_logits
    every = detector(encoder)(features).patch_logits
    assert torch.allclose(one[1], every[1], atol=1e-6)
    assert torch.equal(one[[0, 2, 3]], none[[0, 2, 3]])


def test_images_are_judged_as_the_configuration_says(encoder, features):
    verdict = detector(encoder, score="maximum")(features)
    assert torch.allclose(verdict.scores, verdict.patch_logits.softmax(-1)[..., 1].mean(0).amax(-1))
    seen = {score: detector(encoder, score=score)(features).scores for score in ("unified", "global")}
    assert not torch.allclose(seen["unified"], seen["global"])
    two = detector(encoder, levels=[4, 2])(features)
    assert torch.allclose(two.patch_logits, detector(encoder)(features).patch_logits[[3, 1]], atol=1e-6)


def test_only_methods_with_words_depend_on_them(encoder, features):
    for method, name, depends in (
        (PROMPTS, "", True),
        (LINEAR, "", True),
        ({"conditions": "none"}, "object", True),
        (HEADS, "", False),
        ({}, "", False),
    ):
        one = detector(encoder, method=method, name=name)
        other = one.called("rusty old bolt") if depends else one.called("")
        same = torch.allclose(one(features).patch_logits, other(features).patch_logits)
        assert same is not depends
        again = one.called(name)
        assert torch.equal(again(features).patch_logits, one(features).patch_logits)


@pytest.mark.parametrize("method", [HEADS, LINEAR, PROMPTS, {"conditions": "none"}], ids=str)
def test_a_folder_loads_like_any_model(encoder, method, tmp_path):
    made = detector(encoder, method=method)
    card = BaselineCard(name="toy", backbone=BackboneConfig(kind="tiny"))
    saved = save_baseline(made, card, tmp_path)
    predictor = zerosight.load(tmp_path)
    assert predictor.card == saved
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    [found] = predictor.predict([pixels])
    assert 0 <= found.score <= 1
    assert found.anomaly_map.shape == (40, 50)
    with pytest.raises(ConfigError, match="gives no features"):
        predictor.with_normals([pixels])
    with pytest.raises(WeightsError, match="trained on another backbone"):
        load_baseline(tmp_path, tiny_encoder(seed=5))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"levels": [5]}, "levels: should be in 1 … 4, got 5"),
        ({"method": {"perception": [0]}}, "perception: should be in 1 … 4, got 0"),
        ({"method": {"kind": "head"}}, "does not match any of the expected tags"),
        ({"method": {"kind": "heads", "hiden": 1}}, "unknown key 'method.heads.hiden'"),
        ({"score": "median"}, "score: Input should be"),
    ],
    ids=["level", "perception", "kind", "key", "score"],
)
def test_what_cannot_be_made_is_refused(encoder, values, said):
    with pytest.raises(ConfigError, match=said):
        detector(encoder, **values)
