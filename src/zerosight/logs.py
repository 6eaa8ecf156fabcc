"""What other packages log while one of them does what was meant, kept from the user."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_held: list[int] = []
_outside = logging.NOTSET


@contextmanager
def unheard(level: int) -> Iterator[None]:
    """Let nothing of this level or below be logged; afterwards all is as it was before the first such block.

    ``logging.disable`` holds for the process: of two threads that each put back what they found, the one
    that ends last would put back the other's silence, and warnings would be lost from then on.

    Args:
        level: A level of ``logging``.
    """
    global _outside
    with _lock:
        if not _held:
            _outside = logging.root.manager.disable
        _held.append(level)
        logging.disable(max(_outside, *_held))
    try:
        yield
    finally:
        with _lock:
            _held.remove(level)
            logging.disable(max([_outside, *_held]))
