"""The commands that read reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from zerosight.cli.reports import app
from zerosight.data.manifest import ManifestHeader, read_manifest, write_manifest
from zerosight.data.rows import Record
from zerosight.errors import DataError


def call(*words: object) -> Result:
    """Run the commands without the rest of the command line."""
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text("INDICATION: cough\nFINDINGS: Small effusion. No pneumothorax. Possible pneumonia.")
    return path


def test_extract(report: Path) -> None:
    plain = call("extract", report, "--mentions")
    assert plain.exit_code == 0
    assert "report.txt: pleural effusion; uncertain: pneumonia" in plain.output
    assert "absent    pneumothorax: No pneumothorax" in plain.output
    facts = json.loads(call("extract", report, "--json").output)
    assert facts["labels"]["pleural effusion"] == 1
    assert facts["labels"]["pneumonia"] is None
    assert "mentions" not in facts


def test_extract_says_what_it_cannot_read(report: Path) -> None:
    report.write_text("Pulmones sin infiltrados ni consolidaciones. No se observa derrame pleural.")
    assert "not English" in call("extract", report).output
    missing = call("extract", report.with_name("none.txt"))
    assert isinstance(missing.exception, DataError)
    assert "none.txt: cannot be read" in str(missing.exception)


def test_label_writes_a_manifest(tmp_path: Path) -> None:
    rows = [Record("a.png", text="Cardiomegaly."), Record("b.png")]
    write_manifest(tmp_path / "in.jsonl", ManifestHeader("chest", "."), rows)
    done = call("label", tmp_path / "in.jsonl", "-o", tmp_path / "out" / "out.jsonl", "--json")
    assert json.loads(done.output)["labelled"] == 1
    first, second = read_manifest(tmp_path / "out" / "out.jsonl").records(strict=False)
    assert first.labels["cardiomegaly"] == 1
    assert not second.labels


def test_check_prints_a_table() -> None:
    table = call("check").output
    assert "| finding | indexed | precision | recall | F1 | uncertain (indexed) |" in table
    assert "| cardiomegaly |" in table
    rows = json.loads(call("check", "--part", "tuning", "--json").output)
    assert {row["finding"] for row in rows} >= {"edema", "no finding"}
