"""The tiny model as a folder, as a scorer, and images for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.export import run
from zerosight.models.card import Thresholds
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import load_model, save_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.models.vip2clip.scorer import TorchScorer

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    thresholds = Thresholds(image=0.45, pixel=0.55, source="„ein“ <test> & more\n")
    card = Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny"), thresholds=thresholds)
    save_model(Vip2Clip(tiny_encoder()), card, folder)
    return folder


@pytest.fixture(scope="session")
def scorer(model_folder: Path) -> TorchScorer:
    return TorchScorer(load_model(model_folder).model)


@pytest.fixture(scope="session")
def traced(scorer: TorchScorer, trace_once: None):
    return run.to_onnx(scorer)


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
