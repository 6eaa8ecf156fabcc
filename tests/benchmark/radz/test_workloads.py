"""Models to measure."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zerosight.benchmark.radz.workloads import Sizes, random_llava, scoring_model, training_model
from zerosight.errors import ConfigError


def test_the_random_model_has_the_sizes_asked_for(workload):
    mllm = random_llava(replace(workload.sizes, layers=4, width=128))
    assert (mllm.width, mllm.layers, mllm.grid, mllm.preprocess.size) == (128, 3, 4, 32)
    assert len(mllm.model.get_output_embeddings().weight) == workload.sizes.vocabulary


def test_the_random_model_is_the_same_every_time(workload):
    one, two, other = (random_llava(workload.sizes, seed) for seed in (0, 0, 1))
    assert one.fingerprint == two.fingerprint != other.fingerprint


def test_a_scoring_model_is_frozen_and_a_training_model_is_adapted_without_dropout(workload):
    scoring, training = scoring_model(workload), training_model(workload)
    assert not any(parameter.requires_grad for parameter in scoring.model.parameters())
    trained = {name for name, parameter in training.named_parameters() if parameter.requires_grad}
    assert any("lora_A" in name for name in trained)
    assert "log_temperature" in trained
    assert not any(module.training for module in training.modules())


def test_other_random_shapes_are_measured_too(workload):
    loaded = scoring_model(replace(workload, model="random:smolvlm"))
    assert loaded.card.mllm.model == "random:smolvlm"
    assert loaded.model.image_head.first.in_features == loaded.model.mllm.width


def test_making_models_draws_no_random_numbers_from_the_caller(workload):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    scoring_model(workload)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("sizes", "reason"), [({"layers": 1}, "at least 2"), ({"width": 100}, "multiple of 64")]
)
def test_sizes_that_cannot_be_are_refused(sizes, reason):
    with pytest.raises(ConfigError, match=reason):
        Sizes(**sizes)
