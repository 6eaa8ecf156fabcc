"""Training of variants: the same weights as the training command makes, and nothing left to chance."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zerosight.ablate.vip2clip.config import Vip2Variant
from zerosight.ablate.vip2clip.fit import fit, mean_of_weights
from zerosight.ablate.vip2clip.material import AuxiliarySet, read_sets
from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.data.manifest import read_manifest
from zerosight.errors import ConfigError, WeightsError
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import load_model, save_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.train.vip2clip.config import TrainConfig
from zerosight.train.vip2clip.features import FeatureCache, FeatureSource
from zerosight.train.vip2clip.run import train

SETTINGS = {"backbone": {"kind": "tiny"}, "epochs": 2, "batch_size": 4}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FeatureSource:
    encoder = tiny_encoder()
    return FeatureSource(encoder, FeatureCache(tmp_path_factory.mktemp("cache"), encoder, "float32"))


@pytest.fixture(scope="module")
def auxiliary(toy: Path) -> AuxiliarySet:
    return read_sets(read_manifest(toy / "aux.jsonl"), [read_manifest(toy / "plain.jsonl")]).auxiliary


def weights(
    source: FeatureSource, auxiliary: AuxiliarySet, seed: int = 1, **values
) -> dict[str, torch.Tensor]:
    variant = Vip2Variant.parse(SETTINGS | values)
    return fit(variant, source, auxiliary.train, seed).state_dict()


def test_the_whole_method_is_trained_as_the_command_trains_it(source, auxiliary, toy, tmp_path):
    how = {"schedule": "cosine", "average": 0.9, "lr_fgp": 1e-3}
    config = TrainConfig.parse(SETTINGS | how | {"data": [toy / "aux.jsonl"], "out": tmp_path, "seed": 1})
    train(config)
    expected = load_model(tmp_path).model.state_dict()
    found = weights(source, auxiliary, **how)
    for name, value in expected.items():
        assert torch.allclose(found[f"network.model.{name}"], value, atol=3e-5), name  # a step is 1e-3


def test_a_seed_determines_everything(source, auxiliary):
    heads = {"detector": {"method": {"kind": "heads"}}}
    once, twice = (weights(source, auxiliary, **heads) for _ in range(2))
    other = weights(source, auxiliary, seed=2, **heads)
    for name, value in once.items():
        assert torch.equal(value, twice[name])
        assert not torch.equal(value, other[name])
    before = torch.get_rng_state()
    weights(source, auxiliary, **heads)
    assert torch.equal(before, torch.get_rng_state())


def test_orders_of_one_start_and_the_mean_of_their_weights(source, auxiliary):
    heads = {"detector": {"method": {"kind": "heads", "hidden": 0}}, "start_seed": 1}
    start = weights(source, auxiliary, seed=5, **heads, epochs=0)
    variant = Vip2Variant.parse(SETTINGS | heads)
    runs = [fit(variant, source, auxiliary.train, seed) for seed in (1, 2)]
    unused, name = "network.image.weight", "network.patches.0.weight"  # the first is of the global score
    for run in runs:
        assert torch.equal(run.state_dict()[unused], start[unused])
        assert not torch.equal(run.state_dict()[name], start[name])
    first, second = (run.get_parameter(name) for run in runs)
    assert not torch.equal(first, second)
    found = mean_of_weights(runs)
    assert torch.equal(found.get_parameter(name), (first + second) / 2)
    assert not found.training
    assert not any(parameter.requires_grad for parameter in found.parameters())
    other = fit(Vip2Variant.parse(SETTINGS), source, auxiliary.train[:2], 1)
    with pytest.raises(ConfigError, match="mean: weights are averaged of one detector on one backbone"):
        mean_of_weights([runs[0], other])


def test_losses_can_be_left_out_and_seen_smaller(source, auxiliary):
    whole = weights(source, auxiliary)
    name = "network.model.fgp.value.weight"
    for values in ({"loss": {"focal": 0}}, {"loss": {"dice": 0}}, {"loss_size": 12}):
        assert not torch.equal(weights(source, auxiliary, **values)[name], whole[name])
    assert torch.equal(weights(source, auxiliary, loss_size=48)[name], whole[name])
    images = "network.image.weight"
    heads = {"detector": {"method": {"kind": "heads", "hidden": 0}, "score": "global"}}
    still = weights(source, auxiliary, **heads, loss={"cross_entropy": 0})
    assert torch.equal(still[images], weights(source, auxiliary, **heads, epochs=0)[images])


def test_what_needs_no_training_is_not_trained(source, auxiliary):
    steps: list[int] = []
    variant = Vip2Variant.parse(SETTINGS | {"detector": {"method": {"kind": "prompts"}}})
    fit(variant, source, auxiliary.train, 1, lambda done, total: steps.append(done))
    assert not steps


def test_a_variant_can_begin_with_a_model(source, auxiliary, tmp_path):
    torch.manual_seed(3)
    model = Vip2Clip(source.encoder)
    save_model(model, Vip2ClipCard(name="toy", backbone=BackboneConfig(kind="tiny")), tmp_path)
    found = weights(source, auxiliary, start=str(tmp_path), epochs=0)
    for name, value in model.state_dict().items():
        assert torch.equal(found[f"network.model.{name}"], value)
    with pytest.raises(ConfigError, match=r"start: the weights of .* fit the whole of ViP²-CLIP"):
        weights(source, auxiliary, start=str(tmp_path), detector={"method": {"perception": []}})
    with pytest.raises(WeightsError, match="no model or model folder"):
        weights(source, auxiliary, start="vip2clip-lit")
