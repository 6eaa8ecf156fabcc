"""The protocol command, from folders to two tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import ManifestHeader, Record, write_manifest

pytestmark = pytest.mark.slow


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    """Return two manifests of two images each."""
    Image.fromarray(np.random.default_rng(0).integers(0, 200, (24, 24)).astype(np.uint8)).save(
        tmp_path / "a.png"
    )
    Image.fromarray(np.eye(24, dtype=np.uint8) * 255).save(tmp_path / "b.png")
    records = [Record("a.png", label=0), Record("b.png", "b.png", 1)]
    first, second = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    write_manifest(first, ManifestHeader("visa", "."), records)
    write_manifest(second, ManifestHeader("mvtec_ad", "."), records)
    return first, second


def test_two_tables_beside_the_published_values(run, sets, tmp_path):
    words = ("protocol", "vip2clip", "--aux", sets[0], "--test", sets[1], "--out", tmp_path / "out")
    words = (*words, "--backbone", "tiny", "--set", "epochs=1", "--set", "batch_size=2")
    status, _, messages = run(*words)
    assert status == 0
    assert "image level" in messages
    assert "pixel level" in messages
    assert all(value in messages for value in ("91.2", "87.1"))
    status, out, _ = run(*words, "--json")
    assert status == 0
    [row] = json.loads(out)["image"]
    assert (row["name"], row["auxiliary"], row["auroc"]["published"]) == ("mvtec_ad", "visa", 91.2)


def test_mistakes_are_one_line(run, sets, tmp_path):
    status, _, messages = run("protocol", "vip2clip", "--aux", sets[0], "--out", tmp_path / "out")
    assert status == 1
    assert messages.startswith("error: the protocol needs an auxiliary set and another one")
    words = ("--aux", sets[0], "--test", sets[1], "--out", tmp_path / "out", "--backbone", "tiny")
    status, _, messages = run("protocol", "vip2clip", *words, "--set", "epocs=1")
    assert status == 1
    assert "did you mean 'epochs'" in messages
    assert not (tmp_path / "out").exists()
