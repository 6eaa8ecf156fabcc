"""Toy data sets to learn from and to test on: noise with a bright square or without, and findings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import draw_squares

from zerosight.data.manifest import ManifestHeader, Record, write_manifest


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``aux.jsonl``, and ``marked.jsonl`` and ``plain.jsonl`` (no masks) to test on."""
    folder = tmp_path_factory.mktemp("toy")
    records = []
    for i, image, mask in draw_squares(folder, 20):
        split = "test" if i >= 14 else "val" if i >= 10 else "train"
        kind = "wood/oak" if i % 4 < 2 else "steel/sheet"
        records.append(Record(image, mask, i % 2, category=kind, split=split))
    write_manifest(folder / "aux.jsonl", ManifestHeader("aux", "."), records[:14])
    write_manifest(folder / "marked.jsonl", ManifestHeader("marked", "."), records[14:])
    unmarked = [Record(one.image, None, one.label, split="test") for one in records[14:]]
    write_manifest(folder / "plain.jsonl", ManifestHeader("plain", "."), unmarked)
    return folder


@pytest.fixture(scope="session")
def chests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``train.jsonl`` (12 and 8 held out) and ``test.jsonl`` (20) of other patients."""
    folder = tmp_path_factory.mktemp("chests")
    rng = np.random.default_rng(0)
    records = []
    for i in range(40):
        bright, striped = i % 2, (i // 2) % 2
        pixels = rng.normal(60 + 120 * bright, 10, (40, 40)) + 50 * striped * (np.arange(40) % 2)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
        labels = {"pleural effusion": bright, "edema": striped, "no finding": int(not bright and not striped)}
        split = "test" if i >= 20 else "val" if i >= 12 else "train"
        text = f"There is {'a' if bright else 'no'} pleural effusion. Study {i // 4}."
        records.append(Record(f"{i}.png", labels=labels, text=text, split=split, group=str(i)))
    write_manifest(folder / "train.jsonl", ManifestHeader("chests", "."), records[:20])
    write_manifest(folder / "test.jsonl", ManifestHeader("chests", "."), records[20:])
    return folder
