"""A toy data set: noise, and noise with a bright square."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import ManifestHeader, Record, write_manifest


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    rng = np.random.default_rng(0)
    records = []
    for i in range(14):
        pixels = rng.integers(100, 140, (40, 40, 3), dtype=np.uint8)
        mask = np.zeros((40, 40), np.uint8)
        if i % 2:
            y, x = rng.integers(0, 25, 2)
            pixels[y : y + 15, x : x + 15] = 250
            mask[y : y + 15, x : x + 15] = 255
            Image.fromarray(mask).save(folder / f"{i}_mask.png")
        Image.fromarray(pixels).save(folder / f"{i}.png")
        split = "val" if i >= 10 else "train"
        records.append(Record(f"{i}.png", f"{i}_mask.png" if i % 2 else None, i % 2, split=split))
    write_manifest(folder / "manifest.jsonl", ManifestHeader("toy", "."), records)
    return folder / "manifest.jsonl"
