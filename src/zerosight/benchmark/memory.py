"""Memory of a piece of work: what its tensors take at most, and what the process takes."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.weak import WeakIdKeyDictionary

from zerosight.benchmark.timing import seconds
from zerosight.data.ahead import give_back_free_memory

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
MEGABYTE = 1e6


@dataclass(slots=True)
class Peak:
    """Resident memory at its highest, above what was there before.

    Attributes:
        megabytes: 10⁶ bytes; None where the system does not tell (it is Linux that does).
    """

    megabytes: float | None = None


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the peak of resident memory inside the block."""
    peak = Peak()
    before = resident("VmRSS") if forget_peak() else None
    yield peak
    if before is not None:
        peak.megabytes = (resident("VmHWM") or 0) - before


def forget_peak() -> bool:
    """Let this process's ``VmHWM`` begin anew; return whether the system does that."""
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def resident(field: Literal["VmRSS", "VmHWM"]) -> float | None:
    """Return what of this process is resident, or was at its highest, 10⁶ bytes; None where untold."""
    return kilobytes(field, STATUS.read_text()) * 1024 / MEGABYTE if STATUS.exists() else None


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


def kilobytes(field: str, status: str) -> int:
    """Return a number, such as ``VmHWM``, in what Linux says of a process; 0 where it is not told."""
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found.group(1)) if found else 0


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [value.untyped_storage() for value in tree_iter(values) if isinstance(value, torch.Tensor)]
