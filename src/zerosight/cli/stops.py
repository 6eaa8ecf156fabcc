"""How a command is stopped: a signal becomes an exception, so that what was finished is kept."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
SOON = 0.05
"""Seconds until an exception that was lost is raised again."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM end what is done within as Ctrl-C does; a second one ends at once.

    In a destructor, or a callback of the garbage collector, Python reports an exception and goes on. One that
    should end the command is raised again a moment later (not on Windows, which has no such timer).
    """
    with ExitStack() as stack:
        before = signal.signal(signal.SIGTERM, _terminate)
        stack.callback(signal.signal, signal.SIGTERM, before)
        if sys.platform != "win32":
            stack.enter_context(_again())
        yield


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.exit(TERMINATED)


@contextmanager
def _again() -> Iterator[None]:
    """Raise again what should end the command and was lost."""
    lost: list[BaseException] = []
    report = sys.unraisablehook

    def note(found: sys.UnraisableHookArgs) -> None:
        stop = found.exc_value
        if isinstance(stop, KeyboardInterrupt) or (isinstance(stop, SystemExit) and stop.code == TERMINATED):
            lost.append(stop)
            signal.setitimer(signal.ITIMER_REAL, SOON)
        else:
            report(found)

    def alarm(number: int, frame: FrameType | None) -> None:
        raise lost[-1]

    before = signal.signal(signal.SIGALRM, alarm)
    sys.unraisablehook = note
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.unraisablehook = report
