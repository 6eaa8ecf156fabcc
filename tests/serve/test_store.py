from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zerosight.errors import OutputError
from zerosight.serve.store import Mark, Store

MARK = Mark("a" * 64, "a.png", "fine", "mean", 0.25, 0.5)


def test_a_mark_replaces_what_was_said_before(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.mark(MARK)
    store.mark(Mark("a" * 64, "b.png", "defect", "mean", 0.75, 0.5))
    [mark] = store.marks()
    assert (mark.name, mark.verdict, mark.score) == ("b.png", "defect", 0.75)
    assert time.time() - mark.at < 60
    assert store.unmark("a" * 64)
    assert not store.unmark("a" * 64)
    store.close()


def test_an_event_and_its_message_are_one_step(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.add_event("watch", "mean", {"source": "a.png", "score": 0.9}, tell=True)
    second = store.add_event("watch", "mean", {"source": "b.png", "score": 0.1}, tell=False)
    assert [event.id for event in store.events()] == [second, first]
    assert store.events(after=first)[0].source == "b.png"
    assert store.event(99) is None
    [message] = store.due(time.time())
    assert b'"a.png"' in message.body
    store.postpone(message.id, time.time() + 60)
    assert not store.due(time.time())
    assert store.due(time.time() + 61)[0].tries == 1
    store.sent(message.id)
    assert store.waiting() == 0
    store.close()


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(TypeError):
        store.add_event("watch", "mean", {"source": object()}, tell=True)
    store.mark(MARK)
    assert store.waiting() == 0
    store.close()


def test_a_killed_process_forgets_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from zerosight.serve.store import *\n"
        "store = Store(Path(sys.argv[1])); i = 0\n"
        "while True:\n"
        "    i += 1; store.add_event('watch', 'm', {'source': str(i)}, tell=True); print(i, flush=True)\n"
    )
    source = str(Path(__file__).parents[2] / "src")
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env={"PYTHONPATH": source}
    )
    assert writer.stdout is not None
    said = [int(writer.stdout.readline()) for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    said += [int(line) for line in writer.stdout.read().split()]
    writer.wait(10)
    writer.stdout.close()
    store = Store(tmp_path)
    assert store.waiting() >= len(said)
    assert {event.source for event in store.events(most=10_000)} >= {str(number) for number in said}
    store.close()


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another --folder"):
        Store(tmp_path / "file")
