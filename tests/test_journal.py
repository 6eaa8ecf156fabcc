"""Lines on disk: what comes back, what an interruption may leave, and what is never mixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from zerosight.errors import OutputError
from zerosight.journal import JournalFiles, LineJournal, ResumePolicy, of_json

NAME = "lines.jsonl"


def number(values: object) -> int:
    """Return what a line of these tests holds."""
    if not isinstance(values, dict) or not isinstance(values.get("n"), int):
        raise ValueError("no number")
    return values["n"]


def journal(policy: ResumePolicy, settings: dict[str, object], *beside: str) -> LineJournal[int]:
    return LineJournal(policy, settings, JournalFiles(NAME, beside=beside), of_json(number))


def written(folder: Path, count: int = 3) -> Path:
    lines = journal(ResumePolicy(folder), {"of": ("a", 1)})
    for n in range(count):
        lines.add({"n": n})
    lines.close()
    return folder / NAME


def test_lines_come_back_and_more_follow(tmp_path):
    path = written(tmp_path)
    for half in (b"", b'{"n": 7', b'{"n": 7}'):
        path.write_bytes(path.read_bytes() + half)  # what an interruption may leave
        again = LineJournal(
            ResumePolicy(tmp_path, resume=True), {"of": ["a", 1]}, JournalFiles(NAME), of_json(number)
        )
        before = list(again.found)
        again.add({"n": 9})
        again.close()
        assert before[:3] == [0, 1, 2]
        assert path.read_bytes().count(b"\n") == len(before) + 1
    assert before == [0, 1, 2, 9, 9]


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = journal(ResumePolicy(), {})
    lines.add({"n": 1})
    lines.close()
    assert not lines.found
    assert not list(tmp_path.iterdir())


def test_overwriting_clears_what_lay_beside(tmp_path):
    path = written(tmp_path)
    (tmp_path / "more").write_text("old")
    lines = LineJournal(
        ResumePolicy(tmp_path, overwrite=True), {}, JournalFiles(NAME, beside=("more",)), of_json(number)
    )
    assert not lines.found
    assert not path.exists()
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(
    ("policy", "settings", "content", "said"),
    [
        ({}, {"of": ["a", 1]}, None, "holds an evaluation; resume or overwrite"),
        ({"resume": True}, {"of": 2, "b": 1}, None, "begun with another b, of;"),
        ({"resume": True}, {"of": ["a", 1]}, b"[]\n{}\n", r"lines\.jsonl:1: is not a result"),
    ],
)
def test_results_are_not_mixed(tmp_path, policy, settings, content, said):
    path = written(tmp_path)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OutputError, match=said):
        journal(ResumePolicy(tmp_path, **policy), settings)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    lines = journal(ResumePolicy(tmp_path), {})
    (tmp_path / NAME).mkdir()
    with pytest.raises(OutputError, match=r"lines\.jsonl: cannot be written"):
        lines.add({"n": 1})
