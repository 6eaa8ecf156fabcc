"""Generation: the same bytes for any number of workers, resumed, whole or not at all."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import read_manifest
from zerosight.errors import DataError, OutputError
from zerosight.synthesis.surfaces import SynthesisConfig, synthesize

CONFIG = SynthesisConfig(count=20, size=64, seed=4, workers=1)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_any_number_of_workers_writes_the_same_bytes(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    synthesize(CONFIG, tmp_path / "one", lambda done, total: calls.append((done, total)))
    synthesize(CONFIG.model_copy(update={"workers": 2}), tmp_path / "two")
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    assert calls[-1] == (20, 20)


def test_manifest_and_files_agree(tmp_path: Path) -> None:
    manifest = read_manifest(synthesize(CONFIG, tmp_path))
    records = list(manifest.records())
    assert len(records) == 20
    assert sum(r.label or 0 for r in records) == 10
    for one in records:
        with Image.open(manifest.resolve(one.image)) as image:
            assert image.size == (64, 64)
        assert (one.mask is not None) == (one.label == 1)
        if one.mask:
            with Image.open(manifest.resolve(one.mask)) as image:
                mask = np.asarray(image)
            assert set(np.unique(mask)) <= {0, 255}
            assert mask.any()


def test_an_interrupted_run_goes_on_and_a_larger_count_adds(tmp_path: Path) -> None:
    synthesize(CONFIG.model_copy(update={"count": 12}), tmp_path)
    whole = _bytes(tmp_path)
    untouched = tmp_path / "images" / "000003.jpg"
    before = untouched.stat().st_mtime_ns
    (tmp_path / "images" / "000007.jpg").unlink()
    (tmp_path / "manifest.jsonl").unlink()
    synthesize(CONFIG.model_copy(update={"count": 12}), tmp_path)
    assert _bytes(tmp_path) == whole
    synthesize(CONFIG, tmp_path)
    assert untouched.stat().st_mtime_ns == before
    assert len(list((tmp_path / "images").iterdir())) == 20


def test_images_over_other_bases_are_not_mixed(tmp_path: Path) -> None:
    bases, out = tmp_path / "bases", tmp_path / "out"
    bases.mkdir()
    for name, value in (("a.png", 90), ("b.png", 200)):
        Image.new("RGB", (64, 64), (value, 30, 60)).save(bases / name)
    config = SynthesisConfig(count=4, size=64, seed=4, workers=1, base_folders=(bases,))
    synthesize(config, out)
    before = _bytes(out)
    os.utime(bases / "a.png", ns=(1, 1))
    synthesize(config, out)  # the same bytes at another time
    assert _bytes(out) == before
    Image.new("RGB", (64, 64), (91, 30, 60)).save(bases / "a.png")
    for _ in range(2):
        with pytest.raises(OutputError, match="drawn over other base images") as refused:
            synthesize(config, out)
        assert "\n" not in str(refused.value)
        (bases / "a.png").unlink(missing_ok=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "bases.txt").write_text("of a run that was killed before it began")
    synthesize(config, other)
    synthesize(config, other)
    (out / "bases.txt").unlink()
    with pytest.raises(OutputError, match="drawn over other base images"):
        synthesize(config, out)


def test_base_folders_are_used_and_hostile_files_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "rocks"
    folder.mkdir()
    Image.effect_noise((80, 80), 60).save(folder / "a.png")
    (folder / "bad.png").write_bytes(b"bad")
    config = CONFIG.model_copy(update={"count": 4, "base_folders": (folder,), "folder_fraction": 1.0})
    with caplog.at_level(logging.WARNING):
        manifest = read_manifest(synthesize(config, tmp_path / "out"))
    assert "1 base images skipped" in caplog.text
    assert {r.category for r in manifest.records()} == {"folder/rocks"}
    assert "rocks" in manifest.header.source
    assert manifest.header.licence == ""


def test_another_configuration_a_missing_folder_or_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"count": 1})
    synthesize(config, tmp_path / "out")
    with pytest.raises(OutputError, match="another configuration"):
        synthesize(config.model_copy(update={"seed": 5}), tmp_path / "out")
    with pytest.raises(DataError, match="is not a folder"):
        synthesize(config.model_copy(update={"base_folders": (tmp_path / "no",)}), tmp_path / "new")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        synthesize(config, tmp_path / "file")
