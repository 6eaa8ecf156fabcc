"""Four findings (known, partly known, never present, under another name), and a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosight.backbones.mllm.adapters import adapt
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.tiny import random_mllm
from zerosight.data.manifest import Manifest, ManifestHeader, Record, read_manifest, write_manifest
from zerosight.evaluate.findings import (
    FindingEvaluation,
    FindingEvaluationConfig,
    FindingSettings,
    Provenance,
    evaluate_findings,
    split_images,
)
from zerosight.metrics import finding_data, validation_thresholds
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.config import RadzConfig
from zerosight.models.llava_radz.folder import load_model, save_model
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.predict.findings import FindingPredictor

NAMES = ("pneumonia", "Effusion", "hernia", "a<b>c | d")
IMAGES = tuple(f"images/{number}.png" for number in range(60))
PATIENTS = tuple(f"SECRET-{number // 2}" for number in range(60))
LEFT_HALF = ((0.5, 0.1, 0.9, 0.6),)


def arrays(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, probabilities and labels."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((60, 4)) < [0.3, 0.5, 0.0, 0.4]).astype(float)
    scores = rng.normal(labels)
    labels[::7, 1] = np.nan
    return scores, 1 / (1 + np.exp(-scores)), labels


@pytest.fixture
def evaluated() -> Callable[..., FindingEvaluation]:
    """Return a function that evaluates, with other facts or another policy if told."""

    def evaluate(threshold: str = "oracle", resamples: int = 20, **facts: object) -> FindingEvaluation:
        settings = {
            "data": "chestxray14",
            "model": {"model": "radz-<x>", "weights_sha256": "0" * 64},
            "mode": "pos-neg",
            "anchor_provenance": "train-only",
            "temperature": 0.07,
            "anchors": {"a<b>c | d": "lung lesion"},
            "splits": (split_images("test", IMAGES, PATIENTS),),
            "left_out": {"unreadable image": 2},
        }
        thresholds = validation_thresholds(finding_data(*arrays(1)))
        return evaluate_findings(
            *arrays(),
            PATIENTS,
            NAMES,
            FindingSettings(
                Provenance(**settings | facts),
                FindingEvaluationConfig(threshold=threshold, resamples=resamples),
                thresholds if threshold == "validation" else None,
            ),
        )

    return evaluate


@pytest.fixture(scope="session")
def radz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny model with random weights."""
    folder = tmp_path_factory.mktemp("models") / "tiny-radz"
    torch.manual_seed(0)
    mllm = random_mllm("llava", config=MllmConfig(model="random:llava", max_text_tokens=48))
    model = LlavaRadz(adapt(mllm), RadzConfig(dim=16, hidden=16))
    save_model(model, RadzCard(name="tiny-radz", trained_on=("edema",)), folder)
    return folder


@pytest.fixture(scope="session")
def predictor(radz: Path) -> FindingPredictor:
    return FindingPredictor(load_model(radz))


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a manifest: brightness is effusion, stripes are nodules; every third image is a lateral view."""
    root = tmp_path_factory.mktemp("studies")
    write_manifest(root / "studies.jsonl", ManifestHeader("studies", "."), draw(root))
    return root / "studies.jsonl"


def draw(root: Path) -> list[Record]:
    """Write the images of 60 studies, two per patient, and return their records."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(60):
        effusion, nodule = int(rng.random() < 0.5), int(rng.random() < 0.4)
        pixels = rng.normal(70 + 80 * effusion, 25, (40, 36))
        pixels[:: 4 if nodule else 40] += 60
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / f"{number:02}.png")
        labels: dict[str, int | None] = {"Effusion": effusion, "Nodule": nodule if number % 5 else None}
        labels |= {"Hernia": 0, "odd shadow": effusion, "edema": None}
        split = "train" if number < 24 else "val" if number < 36 else "test"
        view = "lateral" if number % 3 == 0 else "frontal"
        group = f"SECRET-{number // 2}"
        records.append(Record(f"{number:02}.png", labels=labels, category=view, split=split, group=group))
    return records


@pytest.fixture
def marked(studies: Path, tmp_path: Path) -> Manifest:
    """Return the studies with a box or a mask for half of the effusions."""
    source = read_manifest(studies)
    mask = np.zeros((40, 36), dtype=np.uint8)
    mask[5:30, 4:14] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    rows = []
    for number, row in enumerate(source.records()):
        Image.open(studies.parent / row.image).save(tmp_path / row.image)
        region = "mask.png" if number % 2 else LEFT_HALF
        rows.append(replace(row, regions={"Effusion": region} if number % 4 < 2 else {}))
    write_manifest(tmp_path / "marked.jsonl", source.header, rows)
    return read_manifest(tmp_path / "marked.jsonl")
