"""A toy data set: noise, and noise with a bright square."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import draw_squares

from zerosight.data.manifest import ManifestHeader, Record, write_manifest


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    records = [
        Record(image, mask, i % 2, split="val" if i >= 10 else "train")
        for i, image, mask in draw_squares(folder, 14)
    ]
    write_manifest(folder / "manifest.jsonl", ManifestHeader("toy", "."), records)
    return folder / "manifest.jsonl"
