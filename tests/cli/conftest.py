from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.models.card import Thresholds
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.folder import save_model
from zerosight.models.vip2clip.model import Vip2Clip


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    card = Vip2ClipCard(
        name="tiny", backbone=BackboneConfig(kind="tiny"), thresholds=Thresholds(image=0.5, pixel=0.5)
    )
    save_model(Vip2Clip(tiny_encoder()), card, folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder
