"""Findings on disk: lines, table and pictures, resumed and replaced without loss or harm."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.errors import OutputError
from zerosight.identity import stamp
from zerosight.report.findings import FindingFormat, parse_finding_row
from zerosight.report.writer import ResultWriter
from zerosight.types import Failure, FindingPrediction, FindingScore, map_name

PHOTO = Image.new("L", (12, 8), 90)
NAMES = ("pneumonia", "edema", "mass", "hernia", "no finding")
MAP = np.linspace(0, 1, 96, dtype=np.float32).reshape(8, 12)


def prediction(source: str = "a/x.dcm", maps: tuple[str, ...] = NAMES) -> FindingPrediction:
    """Return a prediction of the five findings."""
    values = (0.1, 0.9, 0.3, 0.2, 0.8)
    findings = [FindingScore(name, value / 2, value, 0.4) for name, value in zip(NAMES, values, strict=True)]
    ranked = tuple(sorted(findings, key=lambda finding: -finding.probability))
    drawn = dict.fromkeys((*maps, "attention"), MAP)
    return FindingPrediction(source, ranked, "pos-neg", "train-only", drawn)


def lines(out: Path) -> list[dict[str, object]]:
    """Return the lines of the folder's record."""
    return [json.loads(line) for line in (out / "predictions.jsonl").read_bytes().splitlines()]


def pictures(out: Path) -> set[str]:
    """Return the pictures in the folder."""
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.suffix in (".png", ".jpg")}


def test_results_are_on_disk_as_they_come(tmp_path: Path) -> None:
    with ResultWriter(tmp_path, format=FindingFormat(NAMES)) as writer:
        writer.add(prediction(), PHOTO)
        (line,) = lines(tmp_path)
        made_of = stamp(Path(prediction().source))
        assert line == prediction().to_dict() | {"files": line["files"], "stamp": made_of}
        assert [finding["name"] for finding in line["findings"]][:2] == ["edema", "no finding"]
        assert pictures(tmp_path) == set(line["files"].values())
        writer.add(Failure("b", "b: is empty"))
        assert writer.done == {"a/x.dcm"}
    with (tmp_path / "predictions.csv").open() as file:
        first, second = csv.DictReader(file)
    assert list(first) == ["source", *NAMES, "present", "mode", "provenance", "error"]
    assert (first["edema"], first["present"], first["provenance"]) == (
        "0.9",
        "edema; no finding",
        "train-only",
    )
    assert (second["source"], second["edema"], second["error"]) == ("b", "", "b: is empty")


def test_the_most_probable_diseases_and_the_attention_have_maps(tmp_path: Path) -> None:
    with ResultWriter(tmp_path, format=FindingFormat(NAMES)) as writer:
        writer.add(prediction(), PHOTO)
    assert pictures(tmp_path) == {
        "previews/x.jpg",
        *(f"maps/{kind}/x.png" for kind in ("edema", "mass", "hernia", "attention")),
    }
    with Image.open(tmp_path / "maps/edema/x.png") as drawn:
        assert drawn.size == PHOTO.size


def test_a_finding_called_attention_is_drawn_from_its_own_map(tmp_path: Path) -> None:
    maps = {"map of attention": MAP * 0, "attention": MAP * 0 + 1}
    found = (FindingScore("attention", 0.9, 0.9, 0.5),)
    with ResultWriter(tmp_path, format=FindingFormat(("attention",))) as writer:
        writer.add(FindingPrediction("x", found, "cosine", "train-only", maps), PHOTO)
    own, looked = (
        np.asarray(Image.open(tmp_path / lines(tmp_path)[0]["files"][kind])).astype(int).mean()
        for kind in ("finding attention", "attention")
    )
    assert own != looked


def test_findings_without_a_map_have_no_picture(tmp_path: Path) -> None:
    with ResultWriter(tmp_path, format=FindingFormat(NAMES)) as writer:
        writer.add(prediction(maps=("hernia",)), PHOTO)
        writer.add(prediction("y"))
    assert pictures(tmp_path) == {"previews/x.jpg", "maps/hernia/x.png", "maps/attention/x.png"}


def test_a_run_goes_on_and_keeps_picture_names_apart(tmp_path: Path) -> None:
    options = {"format": FindingFormat(NAMES), "settings": {"labels": list(NAMES)}}
    with ResultWriter(tmp_path, **options) as writer:
        writer.add(prediction("a/x.png"), PHOTO)
    with ResultWriter(tmp_path, resume=True, **options) as writer:
        assert writer.done == {"a/x.png"}
        writer.add(prediction("b/x.png"), PHOTO)
    assert len(pictures(tmp_path)) == 10
    with pytest.raises(OutputError, match="was begun with another labels"):
        ResultWriter(tmp_path, resume=True, format=FindingFormat(NAMES), settings={"labels": ["mass"]})


def test_overwriting_removes_every_picture_and_nothing_else(tmp_path: Path) -> None:
    with ResultWriter(tmp_path, format=FindingFormat(NAMES)) as writer:
        writer.add(prediction(), PHOTO)
    kept = tmp_path / "maps" / "mine.png"
    kept.write_bytes(b"")
    outside = tmp_path.parent / "outside.png"
    outside.write_bytes(b"")
    line = prediction("z").to_dict() | {"files": {"../..": "../outside.png", "edema": "maps/mine.png"}}
    with (tmp_path / "predictions.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    with ResultWriter(tmp_path, overwrite=True, format=FindingFormat(NAMES)):
        pass
    assert pictures(tmp_path) == {"maps/mine.png"}
    assert outside.exists()


def test_names_that_a_spreadsheet_would_run_are_defused(tmp_path: Path) -> None:
    found = FindingPrediction("=1", (FindingScore("@x", 0.0, 0.5, 0.5),), "cosine", "target-aware", {})
    with ResultWriter(tmp_path, format=FindingFormat(["@x"])) as writer:
        writer.add(found)
    with (tmp_path / "predictions.csv").open() as file:
        head, row = csv.reader(file)
    assert (head[1], row[:3]) == ("'@x", ["'=1", "0.5", "'@x"])


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{",
        b'{"source": "a", "mode": "m", "provenance": "p"}',
        b'{"source": "a", "mode": "m", "provenance": "p", "findings": [1]}',
        b'{"source": "a", "mode": "m", "provenance": "p", "findings": '
        b'[{"name": "x", "score": 0, "probability": 2, "threshold": 0.5}]}',
    ],
)
def test_other_lines_are_no_rows(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any, the reader of the file names the line
        parse_finding_row(line)


def test_rows_survive_the_way_through_a_line() -> None:
    row = parse_finding_row(prediction().to_json().encode())
    assert row.findings == prediction().findings
    assert (row.mode, row.provenance, row.files) == ("pos-neg", "train-only", {})


@pytest.mark.parametrize(
    "names", [("preview", "mass"), ("attention", "mass"), ("attention", "finding attention")]
)
def test_every_picture_has_a_file_of_its_own(names: tuple[str, ...], tmp_path: Path) -> None:
    kinds = (*map(map_name, names), "attention")
    maps = {kind: MAP / (2 + number) for number, kind in enumerate(kinds)}
    findings = tuple(FindingScore(name, 0.9, 0.9, 0.5) for name in names)
    with ResultWriter(tmp_path, format=FindingFormat(names)) as writer:
        writer.add(FindingPrediction("a.png", findings, "cosine", "train-only", maps), PHOTO)
    (line,) = lines(tmp_path)
    assert len(pictures(tmp_path)) == len(line["files"]) == len(names) + 2


def test_a_finding_called_attention_without_a_map_does_not_get_the_attention(tmp_path: Path) -> None:
    findings = (FindingScore("attention", 0.9, 0.9, 0.5),)
    with ResultWriter(tmp_path, format=FindingFormat(["attention"])) as writer:
        result = FindingPrediction("a.png", findings, "cosine", "train-only", {"attention": MAP})
        writer.add(result, PHOTO)
    (line,) = lines(tmp_path)
    assert line["files"].keys() == {"preview", "attention"}
