"""A small kill campaign: one kill of some commands; the long one is ``make kill-test``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import kill_campaign
import pytest
from kill_campaign import Outcome, contents, difference, table


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("job", ["predict", "evaluate", "synthesize"])
def test_a_killed_job_ends_as_if_nothing_had_been(job: str):
    command = [sys.executable, kill_campaign.__file__, "--kills", "1", "--only", job]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"| {job} |" in done.stdout


def test_what_is_lost_left_or_changed_is_told(tmp_path: Path):
    (tmp_path / "log").mkdir()
    for name in ("a.json", "b.png", "log/events", ".zerosight.lock"):
        (tmp_path / name).write_bytes(b"made 2026-01-02 03:04 UTC")
    before = contents(tmp_path)
    assert set(before) == {"a.json", "b.png"}
    (tmp_path / "a.json").write_bytes(b"made 2027-11-12 13:14 UTC")
    assert difference(before, contents(tmp_path)) == ""
    (tmp_path / "b.png").unlink()
    (tmp_path / ".b.png.part.png").touch()
    (tmp_path / "a.json").write_bytes(b"other")
    said = "lost: b.png; left over: .b.png.part.png; another content: a.json"
    assert difference(before, contents(tmp_path)) == said


def test_the_report_counts_kills():
    text = table({"predict": Outcome(kills=20, wrong=["killed after 0.10 s: lost: a"], seconds=2.5)})
    assert "| predict | 2.5 | 20 | 19 | 1 |" in text
    assert "predict: killed after 0.10 s: lost: a" in text
