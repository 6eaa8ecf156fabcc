"""Pairs to train on: squares whose brightness is the finding, each with a report that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import ManifestHeader, Record, write_manifest

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
