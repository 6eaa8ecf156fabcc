"""How a command ends when it is told to."""

from __future__ import annotations

import csv
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zerosight.cli.predict_options import _standard_input
from zerosight.errors import ConfigError

STOPPED = """
import signal, sys
from zerosight.cli.main import run
from zerosight.journal import LineJournal

add = LineJournal.add

def add_and_stop(writer, *result):
    add(writer, *result)
    signal.raise_signal({number})

LineJournal.add = add_and_stop
signal.signal(signal.SIGINT, signal.default_int_handler)
terminated = signal.getsignal(signal.SIGTERM)
sys.stderr = open("{messages}", "w", buffering=1)
sys.argv = ["zerosight", "predict", "{photos}", "--model", "{model}", "--out", "{out}"]
try:
    run()
finally:
    assert signal.getsignal(signal.SIGTERM) == terminated
"""


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_prediction_that_is_stopped_keeps_what_it_did(
    run_apart, photos, model_folder, tmp_path, number, status, word
):
    said, out = tmp_path / "said", tmp_path / "out"
    code = STOPPED.format(number=int(number), messages=said, photos=photos, model=model_folder, out=out)
    process = run_apart(code)
    process.join(300)
    messages = said.read_text()
    assert process.exitcode == status, messages
    assert messages.endswith(f"{word}; what was finished is kept\n")
    with (out / "predictions.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_get_no_file(closed: str, tmp_path: Path):
    code = (
        "import os, sys; from zerosight.cli.main import _fill_closed_streams; _fill_closed_streams();"
        "file = open(sys.argv[1], 'w'); file.write(str(file.fileno()))"
    )
    command = f'{shlex.quote(sys.executable)} -c "{code}" {shlex.quote(str(tmp_path / "said"))} {closed}'
    assert subprocess.run(["bash", "-c", command], timeout=120).returncode == 0
    assert int((tmp_path / "said").read_text()) > 2


def test_a_list_from_a_closed_stream_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ConfigError, match="standard input is closed"):
        _standard_input()
