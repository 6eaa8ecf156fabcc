"""A small data set, a model whose scores can be followed by hand, and a random miniature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import Manifest, ManifestHeader, Record, read_manifest, write_manifest
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.scorer import tiny_scorer
from zerosight.predict.anomalies import Predictor
from zerosight.preprocess import Preprocess

MakeDataset = Callable[..., Manifest]


class BrightScorer:
    """Calls bright what is anomalous: the map is the brightness, the score its maximum.

    Attributes:
        scored: Number of images scored so far.
    """

    def __init__(self, size: int = 24) -> None:
        self.preprocess = Preprocess(size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        self.scored = 0

    def score(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.scored += len(pixels)
        maps = pixels.mean(-1, dtype=np.float32) / np.float32(255)
        return maps.max((1, 2)), maps


def paint(path: Path, seed: int, defect: bool) -> None:
    """Write a noisy 40 × 30 picture; where ``defect``, with a slightly brighter patch, and its mask."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 200, (30, 40, 3)).astype(np.uint8)
    if defect:
        mask = np.zeros((30, 40), np.uint8)
        top, left = rng.integers(0, 18, 2)
        mask[top : top + 10, left : left + 12] = 255
        pixels[mask > 0] += np.uint8(12)
        Image.fromarray(mask).save(path.with_suffix(".mask.png"))
    Image.fromarray(pixels).save(path)


def write(folder: Path, records: list[Record], name: str = "parts.jsonl") -> Manifest:
    """Return a manifest of the records."""
    write_manifest(folder / name, ManifestHeader("parts", "."), records)
    return read_manifest(folder / name)


@pytest.fixture
def make(tmp_path: Path) -> MakeDataset:
    """Return a function that makes a data set of as many normal as anomalous images per category."""

    def call(*categories: str, each: int = 4) -> Manifest:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        records = []
        for place, category in enumerate(categories or ("nut", "cap")):
            for number in range(2 * each):
                defect = number % 2 == 1
                stem = f"{place}-{number}"
                paint(folder / f"{stem}.png", 100 * place + number, defect)
                mask = f"{stem}.mask.png" if defect else None
                group = f"{place}/{number // 2}"
                records.append(
                    Record(f"{stem}.png", mask, int(defect), category=category, group=group)  # type: ignore[arg-type]
                )
        return write(folder, records)

    return call


@pytest.fixture
def rewrite() -> Callable[..., Manifest]:
    """Return a function that writes a manifest of records into a folder."""
    return write


@pytest.fixture
def predictor() -> Predictor:
    """Return the model that can be followed by hand."""
    return Predictor(BrightScorer(), Vip2ClipCard(name="bright", weights_sha256="0" * 64))


@pytest.fixture(scope="session")
def tiny() -> Predictor:
    """Return a random miniature."""
    return Predictor(tiny_scorer(), Vip2ClipCard(name="tiny"))
