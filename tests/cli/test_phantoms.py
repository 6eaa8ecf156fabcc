"""``zerosight data phantoms``: pictures and a manifest, JSON, one-line errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from zerosight.cli.phantoms import phantoms
from zerosight.errors import ConfigError, OutputError


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(phantoms)
    return app


def test_phantoms_are_written_and_named(app: typer.Typer, tmp_path: Path) -> None:
    words = ["--out", str(tmp_path / "x"), "--count", "2", "--size", "64", "--workers", "1"]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0
    values = json.loads(result.stdout)
    assert values["count"] == 2
    assert len(Path(values["manifest"]).read_text().splitlines()) == 3


def test_a_sheet_shows_twelve_phantoms(app: typer.Typer, tmp_path: Path) -> None:
    words = ["--out", str(tmp_path), "--count", "1", "--size", "64", "--workers", "1"]
    assert CliRunner().invoke(app, [*words, "--sheet", str(tmp_path / "s.jpg")]).exit_code == 0
    with Image.open(tmp_path / "s.jpg") as image:
        assert image.size == (960, 3 * 262)
    result = CliRunner().invoke(app, [*words, "--sheet", str(tmp_path / "s.gif")])
    assert isinstance(result.exception, OutputError)


def test_a_size_out_of_range_is_an_error(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--out", str(tmp_path), "--count", "1", "--size", "9"])
    assert isinstance(result.exception, ConfigError)
