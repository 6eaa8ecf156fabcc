"""Read ahead: a function on other threads, its results in order, and never more than a few in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def read_ahead(items: Iterable[T], function: Callable[[T], R], workers: int, ahead: int) -> Iterator[R]:
    """Yield the function of every item, in the items' order.

    Args:
        items: Read lazily, at most ``ahead`` of them before their results are taken.
        function: Runs on other threads; what it raises is raised here, in turn.
        workers: Threads, at least 1.
        ahead: Results that may wait, at least 0.

    >>> list(read_ahead("abc", str.upper, workers=2, ahead=1))
    ['A', 'B', 'C']
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
