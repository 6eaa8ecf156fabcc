"""Peak memory of a piece of work in this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"


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
    try:
        CLEAR.write_text(RESET_PEAK)
        before = _kilobytes("VmRSS")
    except OSError:
        yield peak
        return
    yield peak
    peak.megabytes = (_kilobytes("VmHWM") - before) * 1024 / 1e6


def _kilobytes(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    return int(found.group(1)) if found else 0
