"""Read ahead: a function on other threads, its results in order, few of them and few bytes in memory."""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Condition
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
HELD = 160 * 2**20
"""Bytes that results may take while they wait; one larger result waits alone."""
LARGE = 8 * 2**20
"""Bytes of work after which free memory goes back to the system: the C library would keep it per thread."""


def read_ahead(
    items: Iterable[T],
    function: Callable[[T], R],
    workers: int,
    ahead: int,
    size: Callable[[R], int] | None = None,
    cost: Callable[[T], int] | None = None,
) -> Generator[R, None, None]:
    """Yield the function of every item, in the items' order.

    Args:
        items: Read lazily, at most ``ahead`` of them before their results are taken. An error that they end
            with is raised when the results of those before it were taken.
        function: Runs on other threads; what it raises is raised here, in turn.
        workers: Threads, at least 1.
        ahead: Results that may wait, at least 0.
        size: Bytes of a result. Fewer items are begun where their results, each taken to be as large as the
            largest so far until it is there, would take more than ``HELD``. None does not count bytes.
        cost: Bytes of the result of an item, where they are known before it is made; of one that takes more
            than ``HELD``, no other item is read until it is taken. None does not count.

    >>> list(read_ahead("abc", str.upper, workers=2, ahead=1))
    ['A', 'B', 'C']
    """
    waiting: deque[Future[R]] = deque()
    weight = _Weight(size, workers) if size else None
    costs: deque[int] = deque()
    failed: list[Exception] = []
    with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
        try:
            for item in _until_error(items, failed):
                costs.append(cost(item) if cost else 0)
                while waiting and sum(costs) > HELD:
                    costs.popleft()
                    yield waiting.popleft().result()
                waiting.append(pool.submit(function, item))
                del item  # or an image would be held until the next one is there
                while waiting and (
                    len(waiting) > ahead or sum(costs) > HELD or (weight and weight.is_full(waiting))
                ):
                    costs.popleft()
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
            if failed:
                raise failed.pop()
        finally:
            for future in waiting:
                future.cancel()


class Room:
    """Bytes that threads may work in together; who asks for more than is left waits until others are done.

    Args:
        limit: Bytes in all. Who asks for more than that works alone.

    >>> with Room().share() as take:
    ...     take(1000)
    """

    def __init__(self, limit: int = HELD) -> None:
        self._limit = limit
        self._taken = 0
        self._change = Condition()

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Give a function that takes bytes, once; they are given back in the end."""
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            with self._change:
                self._change.wait_for(lambda: not self._taken or self._taken + size <= self._limit)
                self._taken += size
                mine = size

        try:
            yield take
        finally:
            if mine > LARGE:
                give_back_free_memory()
            with self._change:
                self._taken -= mine
                self._change.notify_all()


def give_back_free_memory() -> None:
    """Return to the system what earlier work of any thread has freed, where that is known how to."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def _until_error(items: Iterable[T], failed: list[Exception]) -> Iterator[T]:
    """Yield the items, and keep the error that they end with, if any."""
    try:
        yield from items
    except Exception as error:
        failed.append(error)


class _Weight:
    """How many bytes results take that wait or are being made."""

    def __init__(self, size: Callable[[Any], int], workers: int) -> None:
        self._size = size
        self._workers = workers
        self._largest = 0

    def is_full(self, waiting: Iterable[Future[Any]]) -> bool:
        """Return whether one more result might be too much."""
        held = unknown = 0
        for future in waiting:
            if future.done() and not future.cancelled() and future.exception() is None:
                taken = self._size(future.result())
                self._largest = max(self._largest, taken)
                held += taken
            else:
                unknown += 1
        if not self._largest:  # nothing is known yet: no more at once than there are threads
            return unknown > self._workers
        return held + (unknown + 1) * self._largest > HELD
