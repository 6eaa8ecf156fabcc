"""Training runs of LLaVA-RadZ on random miniatures."""

from __future__ import annotations

import pytest

from zerosight.backbones.mllm.config import AdaptConfig, MllmConfig
from zerosight.models.llava_radz.folder import load_radz
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.run import train_radz


def settings(studies, out, shape="llava", method="lora", **rest):
    adapt = AdaptConfig(method=method, rank=4, alpha=8)
    mllm = MllmConfig(model=f"random:{shape}", max_text_tokens=48, adapt=adapt)
    values = {"epochs": 2, "batch_size": 8, "micro_batch_size": 4, "lr": 1e-3, "lr_projector": 1e-3}
    return RadzTrainConfig(data=(studies,), out=out, mllm=mllm, **{**values, **rest})


@pytest.mark.parametrize(
    ("shape", "method"), [("llava", "lora"), ("llava-qwen", "full"), ("smolvlm", "lora"), ("gemma3", "lora")]
)
def test_every_shape_is_trained_saved_and_loaded(studies, tmp_path, shape, method):
    card = train_radz(settings(studies, tmp_path / "run", shape, method))
    assert card.trained_on == ("no finding", "pleural effusion")
    assert len(card.training["auroc_on_held_out"]) == 2
    assert card.calibration.findings.keys() == {"no finding", "pleural effusion"}
    loaded = load_radz(tmp_path / "run")
    assert loaded.card == card
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
