"""What ``predict`` takes of memory for photographs of one size, each size in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zerosight.benchmark.memory import STATUS, kilobytes
from zerosight.benchmark.vip2clip.files import photographs
from zerosight.data.limits import MOST_PIXELS
from zerosight.errors import ConfigError, ProcessError

SMALL = (640, 480)
"""Width and height of the photographs that all others are compared with."""
MEGAPIXELS = (6.0, 24.0, 50.0, 100.0)
_LARGEST = MOST_PIXELS / 1e6  # larger ones are not read
_CHILD = f"""
import sys
from zerosight.cli.main import run
try:
    run()
finally:
    print(open("{STATUS}").read(), file=sys.stderr)
"""


@dataclass(frozen=True, slots=True)
class PhotographsRow:
    """One run of ``predict``, from JPEG files to the finished folder of results.

    Attributes:
        width: Of the photographs, in pixels.
        height: Likewise.
        images: So many.
        seconds: From the start of the process to its end.
        peak_mb: The most that was resident, 10⁶ bytes.
        above_mb: The same, above that of the run on small photographs.
    """

    width: int
    height: int
    images: int
    seconds: float
    peak_mb: float
    above_mb: float

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def benchmark_photographs(
    model: str,
    megapixels: Sequence[float] = MEGAPIXELS,
    images: int = 6,
    options: Sequence[str] = (),
    tell: Callable[[str], None] = lambda what: None,
) -> Iterator[PhotographsRow]:
    """Yield the row of small photographs, and one for each size.

    A run that is not counted comes first: it makes the graph that a shipped model is computed by.

    Args:
        model: Of anomalies.
        megapixels: Sizes in 10⁶ pixels, above 0, at most 178; photographs are half as wide again as high.
        images: Photographs of each size.
        options: Further ones of ``zerosight predict``.
        tell: Told what is measured.

    Raises:
        ConfigError: A size is out of its range, or the system does not tell what a process takes.
        ProcessError: ``predict`` ends with an error.
    """
    if not all(0 < one <= _LARGEST for one in megapixels):
        raise ConfigError(
            f"--megapixels: above 0, at most {_LARGEST:g}, got {', '.join(map(str, megapixels))}"
        )
    if not STATUS.exists():
        raise ConfigError("memory is measured on Linux alone, which tells the peak of a process")
    sizes = [SMALL]
    for one in megapixels:
        height = max(1, round((one * 1e6 / 1.5) ** 0.5))
        sizes.append((max(1, round(one * 1e6 / height)), height))
    words = ["--model", model, *options]
    base = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number, size in enumerate([SMALL, *sizes]):
            tell(f"{images} photographs of {size[0]} × {size[1]}" if number else "the first start")
            place = Path(folder) / str(number)
            place.mkdir()
            _draw(place, images if number else 1, size)
            begun = time.perf_counter()
            peak = _peak([str(place), "--out", str(place / "results"), *words])
            taken = time.perf_counter() - begun
            shutil.rmtree(place)
            if number:
                base = base or peak
                yield PhotographsRow(*size, images, taken, peak, peak - base)


def _draw(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Write one photograph under several names."""
    [first] = photographs(folder, 1, size)
    for number in range(1, count):
        shutil.copyfile(first, folder / f"{number:04d}.jpg")


def _peak(words: list[str]) -> float:
    """Return the peak of a process that runs ``zerosight predict``, 10⁶ bytes."""
    command = [sys.executable, "-c", _CHILD, "predict", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"})
    peak = kilobytes("VmHWM", done.stderr)
    if done.returncode or not peak:
        said = " ".join(done.stderr.split("Name:")[0].split())
        raise ProcessError(f"zerosight predict ended with status {done.returncode}: {said[-300:]}")
    return peak * 1024 / 1e6
