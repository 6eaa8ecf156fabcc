"""The losses of LLaVA-RadZ hold the values of the slow loop."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from zerosight.cli.verify import app
from zerosight.errors import DataError
from zerosight.verify.radz import verify_radz

PARITY = Path(__file__).parents[1] / "parity" / "radz_losses"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    for suffix in (".npz", ".json"):
        shutil.copy(PARITY.with_suffix(suffix), tmp_path / f"case{suffix}")
    return tmp_path / "case"


def change(prefix: Path, **values: float) -> None:
    file = prefix.with_suffix(".json")
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_every_value_agrees():
    found = verify_radz(PARITY)
    assert {d.name for d in found} == set(json.loads(PARITY.with_suffix(".json").read_text())) - {"tau"}
    assert [f"{d.name}: {d.largest}" for d in found if not d.ok] == []


def test_the_command_prints_json_and_fails_where_a_value_differs(prefix):
    right = CliRunner().invoke(app, ["radz", str(prefix), "--json"])
    assert (right.exit_code, json.loads(right.stdout)["ok"]) == (0, True)
    change(prefix, category=4.3877137)
    wrong = CliRunner().invoke(app, ["radz", str(prefix), "--json"])
    differing = [a["name"] for a in json.loads(wrong.stdout)["arrays"] if not a["ok"]]
    assert (wrong.exit_code, differing) == (1, ["category"])


def test_files_of_another_format_are_refused(prefix):
    change(prefix, focal=1.0)
    with pytest.raises(DataError, match=r"case\.json: holds unknown values focal"):
        verify_radz(prefix)
    np.savez(f"{prefix}.npz", labels=np.zeros((1, 2)))
    with pytest.raises(DataError, match=r"case\.npz: lacks image_global, .*text_id"):
        verify_radz(prefix)
    prefix.with_suffix(".json").write_text('{"tau": 1}')
    with pytest.raises(DataError, match=r"case\.json: lacks total"):
        verify_radz(prefix)
