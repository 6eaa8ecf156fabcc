"""Pairs to train on: squares whose brightness is the finding, each with a report that says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.backbones.mllm.config import AdaptConfig, MllmConfig
from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.train.radz.config import RadzTrainConfig

REPORTS = {
    1: "There is a large right pleural effusion. The heart is not enlarged.",
    0: "No pleural effusion. The lungs are clear. The heart is normal.",
}


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a manifest of 24 studies for training and 16 held out."""
    root = tmp_path_factory.mktemp("studies")
    rng = np.random.default_rng(0)
    records = []
    for i in range(40):
        present = i % 2
        pixels = rng.normal(60 + 120 * present, 10, (40, 40)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"{i}.png")
        labels = {"pleural effusion": present, "no finding": 1 - present}
        records.append(
            Record(
                f"{i}.png",
                labels=labels,
                text=f"{REPORTS[present]} Study {i // 4}.",
                split="train" if i < 24 else "val",
                group=str(i),
            )
        )
    write_manifest(root / "studies.jsonl", ManifestHeader("studies", "."), records)
    return root / "studies.jsonl"


@pytest.fixture(scope="session")
def settings(studies: Path) -> Callable[..., RadzTrainConfig]:
    """Return a function that gives the settings of a small run into a folder."""

    def make(out: Path, shape: str = "llava", **changes: object) -> RadzTrainConfig:
        adapt = AdaptConfig(
            method=changes.pop("method", "lora"), rank=4, alpha=8, dropout=changes.pop("dropout", 0)
        )
        mllm = MllmConfig(model=f"random:{shape}", max_text_tokens=48, adapt=adapt)
        values = {"data": (studies,), "mllm": mllm, "epochs": 2, "batch_size": 8, "micro_batch_size": 4}
        rates = {"lr": 1e-3, "lr_projector": 1e-3, "lr_heads": 3e-4}
        return RadzTrainConfig(out=out, **(values | rates | changes))

    return make


@pytest.fixture
def manifest(studies: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a manifest of some rows on the images of ``studies``."""

    def write(*records: Record, name: str = "rows") -> Path:
        path = tmp_path / f"{name}.jsonl"
        write_manifest(path, ManifestHeader("studies", str(studies.parent)), records)
        return path

    return write
