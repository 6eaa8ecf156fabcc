"""Memory of a piece of work: what its tensors take at most, and what the process takes."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.weak import WeakIdKeyDictionary

from zerosight.benchmark.memory import peak_memory

MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run costs, above what was there before it.

    Attributes:
        seconds: Of a run in which nothing is counted.
        tensors_mb: Highest sum of all living tensors, 10⁶ bytes: counted, the same on every run.
        resident_mb: Highest resident memory of the process, 10⁶ bytes; None where the system does not tell.
    """

    seconds: float
    tensors_mb: float
    resident_mb: float | None


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of tensors that are made inside the block, while they live.

    Tensors that share memory count once. What an operation needs for itself alone does not appear, and
    neither do tensors from before.

    Attributes:
        now: Bytes alive.
        peak: Most bytes that were alive at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.peak = 0
        self._known: Any = WeakIdKeyDictionary()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation and take in what it makes."""
        for storage in _storages((args, kwargs)):
            self._known.setdefault(storage, 0)
        result = func(*args, **(kwargs or {}))
        for storage in _storages(result):
            if storage not in self._known:
                self._made(storage)
        return result

    def _made(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self._known[storage] = size
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, size).atexit = False

    def _gone(self, size: int) -> None:
        self.now -= size


def cost(work: Callable[[], object]) -> Cost:
    """Return what a piece of work costs; it is run twice."""
    with LiveTensors() as tensors:
        work()
    give_back_free_memory()
    with peak_memory() as peak:
        taken = seconds(work)
    return Cost(taken, tensors.peak / MEGABYTE, peak.megabytes)


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def give_back_free_memory() -> None:
    """Return to the system what earlier work has freed; else later work would take it unseen."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [value.untyped_storage() for value in tree_iter(values) if isinstance(value, torch.Tensor)]
