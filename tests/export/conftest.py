"""One traced graph for all tests: tracing takes seconds, everything after it does not."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.export import run
from zerosight.export.graph import to_onnx
from zerosight.models.card import ModelCard, Thresholds
from zerosight.models.folder import load_model, save_model
from zerosight.models.scorer import TorchScorer
from zerosight.models.vip2clip.model import Vip2Clip

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    thresholds = Thresholds(image=0.45, pixel=0.55, source="„ein“ <test> & more\n")
    card = ModelCard(name="tiny", backbone=BackboneConfig(kind="tiny"), thresholds=thresholds)
    save_model(Vip2Clip(tiny_encoder()), card, folder)
    return folder


@pytest.fixture(scope="session")
def scorer(model_folder: Path) -> TorchScorer:
    return TorchScorer(load_model(model_folder)[0])


@pytest.fixture(scope="session")
def traced(scorer: TorchScorer):
    return to_onnx(scorer)


@pytest.fixture
def once(traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let exports of the test take copies of the one traced graph."""
    monkeypatch.setattr(run, "to_onnx", lambda _: deepcopy(traced))


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
