"""Studies: what is done is not done again, what has changed is; tables, picture and pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zerosight.ablate import Job, Measured, Outcome, StudyConfig, make_tables, run_study, write_study
from zerosight.ablate.output import PAGE, PICTURE
from zerosight.errors import OutputError

STUDY = StudyConfig.parse(
    {
        "title": "Sums",
        "reference": "whole",
        "variants": [
            {"name": "whole", "group": "all", "seeds": [1, 2]},
            {"name": "half <b>", "group": "parts", "family": "words", "note": "a half"},
            {"name": "third", "group": "parts", "family": "words"},
        ],
    }
)
VALUES = {"whole": 0.8, "half <b>": 0.6, "third": 0.9}


def jobs(done: list[str], version: str = "") -> list[Job]:
    """Return the study's jobs, which write down that they were done."""

    def job(name: str, seed: int) -> Job:
        identity = f"{name}/{seed}/{version if name == 'third' else ''}"

        def work() -> Outcome:
            done.append(f"{name} {seed}")
            value = VALUES[name] + 0.02 * (seed - 1)
            found = Measured(value, tuple(value + shift for shift in (-0.01, 0.0, 0.01)))
            sets = {"left": {"AUROC": found, "misses": Measured(0.25)}, "right": {"AUROC": found}}
            if name == "third":
                sets["apart"] = {"AUROC": Measured(0.1)}
            return Outcome(identity, seed, sets, {"seconds": 3.0})

        return Job(name, seed, identity, work)

    return [job("whole", 1), job("whole", 2), job("half <b>", 1), job("third", 1)]


def test_what_is_done_is_not_done_again_and_what_has_changed_is(tmp_path: Path):
    done: list[str] = []
    told: list[tuple[str, int, int]] = []
    first = run_study(jobs(done), tmp_path, lambda *facts: told.append(facts))
    assert done == ["whole 1", "whole 2", "half <b> 1", "third 1"]
    assert told[0] == ("whole", 0, 4)
    assert told[-1] == ("done", 4, 4)
    assert run_study(jobs(done), tmp_path) == first
    assert len(done) == 4
    lines = (tmp_path / "outcomes.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "outcomes.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:20])  # killed while it wrote
    assert run_study(jobs(done), tmp_path) == first
    assert done[4:] == ["third 1"]
    run_study(jobs(done, "new"), tmp_path)
    assert done[5:] == ["third 1"]


def test_another_file_of_lines_is_refused(tmp_path: Path):
    (tmp_path / "outcomes.jsonl").write_text('{"a": 1}\n{"a": 1}\n')
    with pytest.raises(OutputError, match=r"outcomes.jsonl:1: is not a result"):
        run_study(jobs([]), tmp_path)


def test_tables_compare_with_the_reference_and_tell_the_spread(tmp_path: Path):
    tables = make_tables(STUDY, run_study(jobs([]), tmp_path))
    whole, half, third = (row.to_json() for row in tables.rows)
    assert whole["measured"]["mean"]["AUROC"]["value"] == pytest.approx(0.81)
    assert whole["measured"]["mean"]["AUROC"]["deviation"] == pytest.approx(0.01414, abs=1e-5)
    assert half["measured"]["mean"]["AUROC"]["difference"] == pytest.approx(-0.21)
    assert half["measured"]["mean"]["AUROC"]["difference_interval"] == pytest.approx([-0.21, -0.21])
    assert third["measured"]["apart"]["AUROC"] == {
        "value": 0.1,
        "interval": None,
        "deviation": None,
        "difference": None,
        "difference_interval": None,
    }
    assert third["measured"]["mean"]["AUROC"]["value"] == pytest.approx(0.9)  # not of what stands apart
    [_, parts, spread] = tables.tables()
    assert parts.rows[0][0] == "half <b>"
    assert spread.rows == (("words", "2", "60.0", "90.0", "30.0"),)
    assert len(tables.short()[1].columns) < len(parts.columns)

    assert {"mean AUROC", "left AUROC", "right AUROC"} <= set(tables.tables()[0].columns)

    page = write_study(tmp_path, tables, {"data": "toy & <i>"}, "AUROC")
    assert page == tmp_path / PAGE
    text = page.read_text()
    assert "half &lt;b&gt;" in text
    assert "toy &amp; &lt;i&gt;" in text
    assert 'fill="#d3123f"' in (tmp_path / PICTURE).read_text()  # half is worse, beyond its interval
    markdown = (tmp_path / "ablation.md").read_text()
    assert "| half \\<b\\> | 60.0 (59.1–60.9) | -21.0 (-21.0 to -21.0) | 25.0 |" in markdown
    assert "half \\<b\\>: a half." in markdown
    assert json.loads((tmp_path / "ablation.json").read_text())["variants"] == [whole, half, third]


def test_the_mean_of_one_data_set_is_shown_once(tmp_path: Path):
    def job(name: str) -> Job:
        found = Measured(VALUES[name], (0.4, 0.5, 0.6))
        return Job(name, 1, name, lambda: Outcome(name, 1, {"left": {"AUROC": found}}, {"seconds": 3.0}))

    tables = make_tables(STUDY, run_study([job(name) for name in VALUES], tmp_path))
    assert tables.tables()[0].columns == ("variant", "left AUROC", "±", "seconds")
    assert tables.short()[0].columns[:2] == ("variant", "AUROC")
    assert set(tables.rows[0].to_json()["measured"]) == {"mean", "left"}
