"""Signals that come where Python ignores exceptions: in destructors, and in callbacks of references."""

from __future__ import annotations

import signal
import sys

import pytest

from zerosight.cli.stops import stoppable

LOST = """
import signal, sys, time, weakref
from pathlib import Path
from zerosight.cli.stops import stoppable

class Last:
    def __del__(self):
        signal.raise_signal(signal.{name})

def drop():
    Last()

def drop_what_is_watched():
    some = {{1}}
    watch = weakref.ref(some, lambda _: signal.raise_signal(signal.{name}))
    del some

signal.signal(signal.SIGINT, signal.default_int_handler)
before = [sys.unraisablehook, *map(signal.getsignal, (signal.SIGTERM, signal.SIGALRM))]
ended = "on"
try:
    with stoppable():
        {drop}()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            time.sleep(0.01)
except BaseException as stop:
    ended = repr(stop)
assert before == [sys.unraisablehook, *map(signal.getsignal, (signal.SIGTERM, signal.SIGALRM))]
assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
Path("{ended}").write_text(ended)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such timer")
@pytest.mark.parametrize(
    ("name", "drop", "ends"),
    [
        ("SIGTERM", "drop", "SystemExit(143)"),
        ("SIGINT", "drop", "KeyboardInterrupt()"),
        ("SIGTERM", "drop_what_is_watched", "SystemExit(143)"),
    ],
)
def test_an_end_that_was_lost_is_asked_for_again(run_apart, tmp_path, name, drop, ends):
    process = run_apart(LOST.format(name=name, drop=drop, ended=tmp_path / "ended"))
    process.join(60)
    assert (process.exitcode, (tmp_path / "ended").read_text()) == (0, ends)


def test_what_else_goes_wrong_in_a_destructor_is_reported_as_ever(monkeypatch):
    class Broken:
        def __del__(self) -> None:
            raise ValueError

    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: reported.append(found.exc_type))
    before = signal.getsignal(signal.SIGTERM)
    with stoppable():
        Broken()
    assert reported == [ValueError]
    assert signal.getsignal(signal.SIGTERM) == before
