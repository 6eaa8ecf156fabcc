"""The journal: what it refuses, and what survives a round trip."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zerosight.data.rows import Record
from zerosight.errors import OutputError
from zerosight.evaluate.anomalies.journal import EvaluationJournal, pack, unpack
from zerosight.evaluate.anomalies.outcome import Outcome, Problem
from zerosight.journal import ResumePolicy
from zerosight.metrics.binned import empty_binned
from zerosight.metrics.pixel import compute

SETTINGS = {"model": "m", "splits": ("test",)}
OUTCOME = Outcome(0, "a.png", "nut", 1, "a.mask.png", score=0.25, counted=True)


def counts():
    """Return the pixel counts of one map."""
    maps = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    return empty_binned().update(maps, maps > 0.6)


def filled(folder: Path) -> Path:
    """Return a folder with one outcome."""
    with EvaluationJournal(ResumePolicy(folder), SETTINGS) as journal:
        journal.add(OUTCOME, counts())
    return folder


def test_counts_survive_the_disk(tmp_path):
    with EvaluationJournal(ResumePolicy(filled(tmp_path), resume=True), SETTINGS) as journal:
        assert journal.outcomes == {0: OUTCOME}
        assert compute(journal.pixels["nut"]) == compute(counts())
        assert journal.is_done(0, Record("a.png", "a.mask.png", 1, category="nut"))
        assert not journal.is_done(1, Record("b.png"))


def test_a_kill_leaves_no_line_twice(tmp_path):
    rows = [replace(OUTCOME, row=row, image=f"{row}.png") for row in range(4)]
    journal = EvaluationJournal(ResumePolicy(tmp_path), SETTINGS)
    for outcome in rows:
        journal.add(outcome, counts())
        if outcome.row == 1:
            journal.save()
    journal._lines.close()  # the pixels of two rows are in no file, as a kill leaves it
    with EvaluationJournal(ResumePolicy(tmp_path, resume=True), SETTINGS) as journal:
        assert list(journal.outcomes) == [0, 1]
        assert journal.pixels["nut"].images == 2
        for outcome in rows[2:]:
            journal.add(outcome, counts())
    lines = (tmp_path / "scores.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"] for line in lines] == [0, 1, 2, 3]


def test_packed_counts_of_several_categories_come_back():
    states = {"a/ä": counts(), "b": empty_binned(8)}
    pixels, rows = unpack(pack(states, {3, 1}))
    assert rows == {1, 3}
    assert list(pixels) == ["a/ä", "b"]
    for name, state in states.items():
        assert compute(pixels[name]) == compute(state)
        assert pixels[name].precision == state.precision


def test_an_outcome_with_a_problem_is_not_done(tmp_path):
    with EvaluationJournal(ResumePolicy(tmp_path), SETTINGS) as journal:
        journal.add(Outcome(0, "a.png", "nut", 1, problem=Problem("unreadable image", "gone")), None)
        assert not journal.is_done(0, Record("a.png", category="nut"))


def test_results_are_not_mixed(tmp_path):
    folder = filled(tmp_path)
    with pytest.raises(OutputError, match="holds an evaluation; resume or overwrite"):
        EvaluationJournal(ResumePolicy(folder), SETTINGS)
    with pytest.raises(OutputError, match="begun with another model, size;"):
        EvaluationJournal(ResumePolicy(folder, resume=True), {**SETTINGS, "model": "n", "size": 3})
    (folder / "settings.json").write_text("[]")
    with pytest.raises(OutputError, match=r"settings\.json: cannot be read"):
        EvaluationJournal(ResumePolicy(folder, resume=True), SETTINGS)
    with EvaluationJournal(ResumePolicy(folder, overwrite=True), {"model": "n"}) as journal:
        assert not journal.outcomes
    assert json.loads((folder / "settings.json").read_text()) == {"model": "n"}


def test_a_changed_data_set_is_noticed(tmp_path):
    with (
        EvaluationJournal(ResumePolicy(filled(tmp_path), resume=True), SETTINGS) as journal,
        pytest.raises(OutputError, match=r"row 0 was a\.png and is now b\.png"),
    ):
        journal.is_done(0, Record("b.png", category="nut"))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("scores.jsonl", b'{"row": 0}\nmore\n', r"scores\.jsonl:1: is not a result"),
        ("scores.jsonl", b"", r"scores\.jsonl: lines are missing"),
        ("pixels.npz", b"PK\x03\x04 and no more", r"pixels\.npz: is damaged"),
    ],
)
def test_damaged_files_are_named(tmp_path, file, content, said):
    folder = filled(tmp_path)
    (folder / file).write_bytes(content)
    with pytest.raises(OutputError, match=said):
        EvaluationJournal(ResumePolicy(folder, resume=True), SETTINGS)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        EvaluationJournal(ResumePolicy(tmp_path / "file" / "out"), SETTINGS)


@pytest.mark.parametrize("change", [{"score": 1.5}, {"row": "1"}, {"problem": {"kind": 1}}, {"colour": 1}])
def test_a_line_that_is_no_outcome_is_refused(change):
    with pytest.raises(ValueError, match=r"."):
        Outcome.from_json(OUTCOME.to_json() | change)
