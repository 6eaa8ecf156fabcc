"""Boxes of ChestX-ray14: the owners' list, as shares of the image."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from zerosight.data.layouts.chest.boxes import chestxray14_boxes, with_boxes
from zerosight.data.manifest import ManifestHeader, Record, read_manifest, write_manifest
from zerosight.errors import DataError, MissingExtraError

HEAD = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
LINES = "00000001_000.png,Infiltrate,256,512,128,256\n00000001_000.png,Infiltrate,900.5,0,200,64\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "BBox_List_2017.csv.gz"
    path.write_bytes(gzip.compress((HEAD + LINES).encode()))
    return path


def test_boxes_are_shares_of_the_published_size_cut_at_its_edges(table):
    found = chestxray14_boxes(table)
    assert found.keys() == {"00000001_000"}
    first, second = found["00000001_000"]["infiltration"]
    assert first == (0.25, 0.5, 0.375, 0.75)
    assert second == (900.5 / 1024, 0.0, 1.0, 0.0625)


def test_copies_of_any_size_and_suffix_get_their_boxes(table, tmp_path, run):
    rows = [Record("images/00000001_000.jpg", labels={"infiltration": 1}), Record("images/2.jpg")]
    write_manifest(tmp_path / "rows.jsonl", ManifestHeader("rows", "."), rows)
    with_regions, without = with_boxes(read_manifest(tmp_path / "rows.jsonl"), chestxray14_boxes(table))
    assert len(with_regions.regions["infiltration"]) == 2
    assert without == rows[1]
    out = tmp_path / "boxes.jsonl"
    status, _, said = run("data", "boxes", tmp_path / "rows.jsonl", "-o", out, "--list", table)
    assert status == 0, said
    assert "2 images, 1 with boxes" in said
    assert list(read_manifest(out).records()) == [with_regions, without]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,finding\n", "should begin with"),
        (HEAD + "1.png,Mass,1,2,3\n", r":2: has 5 values, expected 6"),
        (HEAD + "1.png,Mass,1,2,3,wide\n", r":2: should end in four numbers"),
        (HEAD + "1.png,Mass,1,2,0,5\n", r":2: a box of width 0 and height 5 has no area"),
        (HEAD + "1.png,Mass,1,2,nan,5\n", r":2: a box of width nan"),
    ],
)
def test_a_damaged_list_is_one_line(tmp_path, text, said):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        chestxray14_boxes(path)
    with pytest.raises(DataError, match="cannot be read"):
        chestxray14_boxes(tmp_path / "none.csv")


def test_the_list_that_torchxrayvision_carries(monkeypatch):
    found = chestxray14_boxes()
    assert (len(found), sum(len(b) for own in found.values() for b in own.values())) == (880, 984)
    monkeypatch.setattr("zerosight.data.layouts.chest.boxes.carried", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"zerosight\[xray\]"):
        chestxray14_boxes()
