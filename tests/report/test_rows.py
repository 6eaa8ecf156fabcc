"""Tables: rows survive the way through a file, damage is told apart from an interruption."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.errors import OutputError
from zerosight.report.rows import COLUMNS, FailedRow, ScoredRow, final_rows, parse_row, read_rows, write_csv
from zerosight.types import Region

ROW = ScoredRow(
    source="a/b.png",
    score=0.75,
    is_anomalous=True,
    threshold=0.5,
    pixel_threshold=0.4,
    height=8,
    width=9,
    regions=(Region((1, 2, 3, 4), 4, 0.9),),
    files={"heatmap": "heatmaps/b.png"},
)


def line(source: str = "a/b.png", **changes: object) -> bytes:
    """Return ROW as a line."""
    values: dict[str, object] = {"source": source, "score": 0.75, "is_anomalous": True, "threshold": 0.5}
    values |= {"pixel_threshold": 0.4, "height": 8, "width": 9, "files": {"heatmap": "heatmaps/b.png"}}
    values |= {"regions": [{"box": [1, 2, 3, 4], "area": 4, "peak": 0.9}]}
    return json.dumps(values | changes).encode() + b"\n"


def test_lines_become_rows(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(line() + b'{"source": "c", "error": "cut"}\n')
    assert [row for row, _ in read_rows(path, parse_row)] == [ROW, FailedRow("c", "cut")]
    assert [end for _, end in read_rows(path, parse_row)] == [len(line()), path.stat().st_size]


@given(cut=st.integers(0, len(line("second")) - 1))
@settings(deadline=None)
def test_a_cut_last_line_is_dropped_wherever_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "predictions.jsonl"
    path.write_bytes(line("first") + line("second")[:cut])
    assert [row.source for row, _ in read_rows(path, parse_row)] == ["first"]


def test_zeros_after_a_power_cut_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(line() + bytes(100))
    assert [row for row, _ in read_rows(path, parse_row)] == [ROW]


@pytest.mark.parametrize(
    "damage",
    [b"\n", b"{}\n", b"[1]\n", b"7\n", b"\xff\n", line(score="NaN"), line(score=1.5), line(regions=[{}])],
)
def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(line() + damage + line())
    with pytest.raises(OutputError, match=r"predictions\.jsonl:2: is not a result"):
        list(read_rows(path, parse_row))


def test_no_file_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        list(read_rows(tmp_path / "predictions.jsonl", parse_row))


@given(content=st.binary(max_size=80))
def test_any_bytes_are_no_row(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of json, or of the row: any reason will do
        parse_row(content)


def test_the_last_line_about_a_source_counts(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(b'{"source": "a/b.png", "error": "busy"}\n' + line("other") + line())
    assert [row.source for row in final_rows(path, parse_row)] == ["other", "a/b.png"]
    assert list(final_rows(path, parse_row))[1] == ROW


def test_csv_has_a_line_per_row_and_no_formulas(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_csv(path, [ROW, FailedRow('=cmd|"x",y', "two\nlines"), FailedRow("\udcff.png", "x")])
    with path.open(encoding="utf-8", newline="") as file:
        first, second, third = csv.DictReader(file)
    assert tuple(first) == COLUMNS
    assert [
        first[key] for key in ("source", "score", "is_anomalous", "regions", "peak", "area", "heatmap")
    ] == (["a/b.png", "0.75", "true", "1", "0.9", "4", "heatmaps/b.png"])
    assert (second["source"], second["error"], second["score"]) == ('\'=cmd|"x",y', "two\nlines", "")
    assert third["source"] == "\\udcff.png"
