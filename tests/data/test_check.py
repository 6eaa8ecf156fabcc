"""The check finds what was planted, whatever the number of threads, and nothing in a clean set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from zerosight.data.check import CheckReport, check
from zerosight.data.hashing import hash_file, with_hashes
from zerosight.data.layouts import read_layout
from zerosight.data.manifest import Manifest, ManifestHeader, Record, read_manifest, write_manifest
from zerosight.errors import DataError


def _paint(path: Path, value: int, size: tuple[int, int] = (8, 6)) -> None:
    Image.new("L", size, value).save(path)


def _manifest(folder: Path, *records: Record, threshold: int = 0) -> Manifest:
    path = folder / "set.jsonl"
    write_manifest(path, ManifestHeader("planted", ".", mask_threshold=threshold), records)
    return read_manifest(path)


@pytest.fixture
def planted(tmp_path: Path) -> Manifest:
    """Return a manifest with one fault of each kind."""
    for value in range(1, 8):
        _paint(tmp_path / f"{value}.png", value)
    for name, source in (("1 again", "1"), ("2 again", "2"), ("3 again", "3")):
        (tmp_path / f"{name}.png").write_bytes((tmp_path / f"{source}.png").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"\x89PNG and no more")
    _paint(tmp_path / "mask.png", 255)
    _paint(tmp_path / "mask.jpg", 255)
    _paint(tmp_path / "small mask.png", 255, (4, 4))
    _paint(tmp_path / "empty mask.png", 0)
    manifest = _manifest(
        tmp_path,
        Record("1.png", label=0),
        Record("1 again.png", label=0),
        Record("2.png", label=0, split="train"),
        Record("2 again.png", label=0),
        Record("3.png"),
        Record("3.png", label=1, mask="mask.png"),
        Record("3 again.png", label=0),
        Record("4.png", "small mask.png", 1),
        Record("5.png", "empty mask.png", 1),
        Record("6.png", "no mask.png", 1),
        Record("7.png", "mask.jpg", 1, hash="0" * 64),
        Record("broken.png", label=1),
        Record("none.png", label=0),
    )
    with manifest.path.open("a") as file:
        file.write('{"image": "../out.png"}\n{"image": ')
    return manifest


def test_every_planted_fault_is_found(planted: Manifest) -> None:
    report = check(planted)
    assert (report.images, report.masks, report.normal, report.anomalous) == (13, 5, 6, 6)
    assert [(issue.kind, issue.count) for issue in report.issues] == [
        ("bad row", 2),
        ("unreadable image", 2),
        ("unreadable mask", 1),
        ("mask of another size", 1),
        ("empty mask", 1),
        ("missing mask", 1),
        ("lossy mask", 1),
        ("changed file", 1),
        ("duplicate", 3),
        ("duplicate across splits", 1),
        ("label conflict", 1),
    ]
    examples = {issue.kind: issue.examples for issue in report.issues}
    assert ":15: " in examples["bad row"][0]
    assert ":16: " in examples["bad row"][1]
    assert examples["mask of another size"][0].endswith("small mask.png: 4×4, its image 8×6")
    assert examples["duplicate"][0] == "1 again.png (test): same content as 1.png (test)"
    assert examples["duplicate across splits"] == ("2 again.png (test): same content as 2.png (train)",)
    assert examples["label conflict"] == ("3 again.png: label 0, but 3.png of the same content has label 1",)
    assert report.count("duplicate") == 3
    assert not report.clean


def test_the_report_does_not_depend_on_the_threads(planted: Manifest) -> None:
    done: list[int] = []
    assert check(planted, workers=1) == check(planted, progress=done.append, workers=7)
    assert done == list(range(1, 14))


def test_the_report_reads_well_and_is_json(planted: Manifest) -> None:
    report = check(planted, keep=2)
    assert json.loads(json.dumps(report.to_json()))["findings"][8] == {
        "kind": "duplicate",
        "count": 3,
        "examples": list(report.issues[8].examples),
    }
    assert len(report.issues[8].examples) == 2
    text = report.to_text(examples=1)
    assert text.startswith(
        "planted: 13 images (6 normal, 6 anomalous, 1 without label), 5 masks\nbad row: 2\n"
    )
    assert "duplicate: 3\n  1 again.png (test): same content as 1.png (test)\n  and 2 more\n" in text


def test_a_clean_set_is_clean(tmp_path: Path) -> None:
    for value in (1, 2, 200):
        _paint(tmp_path / f"{value}.png", value)
    manifest = _manifest(tmp_path, Record("1.png", label=0), Record("2.png", "200.png", 1))
    report = check(manifest)
    assert report.clean
    assert report.to_text().endswith("nothing wrong")
    assert report == CheckReport("planted", 2, 1, 1, 1, ())


def test_an_empty_manifest_is_clean(tmp_path: Path) -> None:
    assert check(_manifest(tmp_path)).images == 0


def test_the_threshold_decides_what_is_empty(tmp_path: Path) -> None:
    _paint(tmp_path / "image.png", 9)
    _paint(tmp_path / "mask.png", 100)
    record = Record("image.png", "mask.png", 1)
    assert check(_manifest(tmp_path, record)).clean
    assert check(_manifest(tmp_path, record, threshold=127)).count("empty mask") == 1


def test_a_set_without_masks_lacks_none(tmp_path: Path) -> None:
    _paint(tmp_path / "image.png", 9)
    assert check(_manifest(tmp_path, Record("image.png", label=1))).clean


def test_rows_are_not_all_read_ahead(tmp_path: Path) -> None:
    _paint(tmp_path / "1.png", 1)
    read = done = furthest = 0

    class Counting:
        header = ManifestHeader("counting", ".")

        def records(self, strict: bool = True, skipped: object = None) -> Iterator[Record]:
            nonlocal read
            for _ in range(100):
                read += 1
                yield Record("1.png")

        def resolve(self, name: str) -> Path:
            return tmp_path / name

    def progress(count: int) -> None:
        nonlocal done, furthest
        done, furthest = count, max(furthest, read - count)

    check(Counting(), progress, workers=1)
    assert done == 100
    assert furthest <= 9


def test_hashes_are_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert next(with_hashes(_manifest(tmp_path, Record("a")))).hash == hash_file(tmp_path / "a")
    with pytest.raises(DataError, match="cannot be read"):
        hash_file(tmp_path / "b")


@pytest.mark.realdata
def test_the_known_faults_of_real_data_are_found(realdata: Path) -> None:
    brain = check(read_layout("brain_mri", realdata))
    assert (brain.normal, brain.anomalous) == (98, 155)
    assert brain.count("duplicate") == 25
    tiles = read_layout("magnetic_tile", realdata)
    defects = [record for record in tiles.rows if record.mask is not None and "Uneven" in record.mask]
    report = check(replace(tiles, rows=tuple(defects)))
    assert report.count("empty mask") == 4


def test_masks_of_findings_are_read_too(tmp_path: Path) -> None:
    Image.new("L", (8, 6)).save(tmp_path / "x.png")
    Image.new("L", (8, 6)).save(tmp_path / "empty.png")
    Image.new("L", (4, 4), 255).save(tmp_path / "small.jpg")
    regions = {
        "mass": "empty.png",
        "nodule": "gone.png",
        "edema": "small.jpg",
        "hernia": ((0.1, 0.1, 0.2, 0.2),),
    }
    record = Record("x.png", labels={"mass": 1, "nodule": 1, "edema": 0}, regions=regions)
    write_manifest(tmp_path / "m.jsonl", ManifestHeader("m", "."), [record])
    report = check(read_manifest(tmp_path / "m.jsonl"))
    kinds = ("empty mask", "unreadable mask", "mask of another size", "lossy mask")
    assert [report.count(kind) for kind in kinds] == [1, 1, 1, 1]
    assert report.regions == report.to_json()["regions"] == 3
    assert "0 masks, 3 masks of findings" in report.to_text()
