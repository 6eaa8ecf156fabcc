from __future__ import annotations

import json

import pytest
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.long]


def test_the_demo_finds_damage_and_findings_and_writes_reports(run, tmp_path):
    status, out, _ = run("demo", "--out", tmp_path / "demo", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["images"] == 32
    assert found["image"]["anomalous"] == 16
    assert found["image"]["auroc"]["value"] > 0.6
    assert found["pixel"]["auroc"]["value"] > 0.7
    assert (tmp_path / "demo" / "demo.jpg").stat().st_size > 10_000
    assert (tmp_path / "demo" / "results" / "report.html").stat().st_size > 100_000
    parts = found["parts"]
    assert (parts["normals"], parts["images"]) == (8, 32)
    assert parts["with"]["pixel"]["auroc"]["value"] > parts["without"]["pixel"]["auroc"]["value"] > 0.7
    with Image.open(tmp_path / "demo" / "parts" / "parts.jpg") as sheet:
        assert sheet.size == (6 * 246 - 6, 240 + 2 * 270)
    assert "nearest normal patch" in (tmp_path / "demo" / "parts" / "results" / "report.html").read_text()
    chest = found["chest"]
    assert chest["images"] == 120
    assert chest["findings"]["pleural effusion"]["auroc"]["value"] > 0.85
    assert chest["findings"]["lung opacity"]["auroc"]["value"] > 0.85
    assert (tmp_path / "demo" / "chest" / "results" / "report.html").stat().st_size > 100_000
