from __future__ import annotations

import json


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
    chest = found["chest"]
    assert chest["images"] == 120
    assert chest["findings"]["pleural effusion"]["auroc"]["value"] > 0.85
    assert chest["findings"]["lung opacity"]["auroc"]["value"] > 0.85
    assert (tmp_path / "demo" / "chest" / "results" / "report.html").stat().st_size > 100_000
