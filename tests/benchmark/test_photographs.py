"""Memory by the size of photographs: what is drawn, measured and refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from zerosight.benchmark.photographs import SMALL, _peak, benchmark_photographs
from zerosight.errors import ConfigError, ProcessError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak of a process")


def test_every_size_has_a_process_of_its_own_beside_small_photographs(monkeypatch):
    seen = []

    def measure(words: list[str]) -> float:
        paths = sorted(Path(words[0]).glob("*.jpg"))
        with Image.open(paths[0]) as first:
            seen.append((len(paths), first.size, words[3:]))
        return 100.0 + 50 * len(seen)

    monkeypatch.setattr("zerosight.benchmark.photographs._peak", measure)
    rows = list(benchmark_photographs("a-model", [0.06, 0.24], 2, ["--runtime", "torch"]))
    words = ["--model", "a-model", "--runtime", "torch"]
    assert seen == [(1, SMALL, words), (2, SMALL, words), (2, (300, 200), words), (2, (600, 400), words)]
    assert [(row.width, row.peak_mb, row.above_mb) for row in rows] == [
        (640, 200.0, 0.0),
        (300, 250.0, 50.0),
        (600, 300.0, 100.0),
    ]


def test_the_peak_is_the_processs_own_and_an_error_is_one_line():
    assert 10 < _peak(["--help"]) < 1000
    with pytest.raises(ProcessError, match=r"ended with status 1: error: nowhere\.png: no such file"):
        _peak(["nowhere.png"])


@pytest.mark.parametrize("size", [0.0, -1.0, 200.0])
def test_sizes_that_are_not_read_are_refused(size):
    with pytest.raises(ConfigError, match="--megapixels: above 0, at most 178"):
        next(benchmark_photographs("m", [size]))
