from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.tiny import tiny_encoder
from zerosight.cli import main
from zerosight.models.card import ModelCard, Thresholds
from zerosight.models.folder import save_model
from zerosight.models.vip2clip.model import Vip2Clip

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command line and gives exit status, output and messages."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["zerosight", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main.run()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    card = ModelCard(
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
