"""Times of pieces of work, alone and in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return seconds by name: every piece of work runs once per round, so that drifts hit all alike."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, function in work.items():
            times[name].append(seconds(function))
    return times


def median_ratio(slow: list[float], quick: list[float]) -> float:
    """Return the median of the ratios of times that were taken in pairs.

    >>> median_ratio([4.0, 6.0, 9.0], [2.0, 2.0, 2.0])
    3.0
    """
    return statistics.median(a / b for a, b in zip(slow, quick, strict=True))
