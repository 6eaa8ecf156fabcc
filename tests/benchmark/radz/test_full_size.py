"""Models of true size: their shapes are the real ones', and a small one goes through every step."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.load import load_mllm
from zerosight.benchmark.radz import full_size
from zerosight.benchmark.radz.full_size import benchmark_full_size
from zerosight.benchmark.radz.shapes import SHAPES, Shape, write_model
from zerosight.benchmark.radz.tables import full_size_table

SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4}


def small(name: str, layers: int) -> Shape:
    """Return a shape with few layers of little width."""
    shape = SHAPES[name]
    size = {
        "image_size": 28 if shape.kind == "llava" else 32,
        "patch_size": 14 if shape.kind == "llava" else 4,
    }
    text = {**shape.text, **SMALL, "num_key_value_heads": 2, "num_hidden_layers": layers, "vocab_size": 600}
    return dataclasses.replace(
        shape, text=text, vision={**shape.vision, **SMALL, **size, "num_hidden_layers": 2}
    )


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_written_and_read_like_a_model_of_the_hub(name, tmp_path):
    parameters = write_model(small(name, 2), tmp_path)
    mllm = load_mllm(MllmConfig(model=str(tmp_path)))
    assert sum(weight.numel() for weight in mllm.model.parameters()) == parameters
    assert mllm.width == 64


@pytest.mark.parametrize(
    ("name", "millions"),
    [("SmolVLM-256M", 256), ("SmolVLM-500M", 507), ("llava-interleave-qwen-0.5b", 894)],
)
def test_shapes_have_as_many_parameters_as_the_real_models(name, millions):
    import torch
    from transformers import (
        LlavaConfig,
        LlavaForConditionalGeneration,
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
    )

    shape = SHAPES[name]
    kinds = {
        "llava": (LlavaConfig, LlavaForConditionalGeneration),
        "smolvlm": (SmolVLMConfig, SmolVLMForConditionalGeneration),
    }
    config, model = kinds[shape.kind]
    with torch.device("meta"):
        made = model(config(text_config=dict(shape.text), vision_config=dict(shape.vision), **shape.more))
    assert sum(weight.numel() for weight in made.parameters()) / 1e6 == pytest.approx(millions, rel=0.03)


@pytest.mark.slow
def test_a_model_goes_through_every_step_and_the_rest_of_its_layers_are_computed(monkeypatch):
    def here(step: Any, *given: Any) -> dict[str, float]:
        return full_size._measured(step, *given)

    shapes = {"small": dataclasses.replace(small("SmolVLM-256M", 3), layers=13)}
    told: list[str] = []
    row = benchmark_full_size("small", told.append, shapes, here)
    assert told == [f"small: {step}" for step in ("written", "trained", "scored", "mapped")]
    assert (row.layers, row.whole_layers, row.tokens) == (2, 12, 4)
    assert row.whole_parameters > row.parameters
    assert row.whole_train_seconds == pytest.approx(6 * row.train_seconds - 5 * row.tower_seconds)
    assert row.whole_seconds > row.score_seconds > row.tower_seconds > 0
    assert min(row.train_gb, row.score_gb, row.map_gb, row.load_seconds) > 0
    [cells] = full_size_table([row]).rows
    assert cells[:4] == ("small", "0 M", "2", "4")
