"""What the benchmark of a cluster notes and shows, without one."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from zerosight.benchmark.scale import RANDOM, ScaleRow, _row, _Watched, benchmark_scale
from zerosight.cli.benchmark_scale import _table
from zerosight.errors import ConfigError
from zerosight.guarded.json import parse_json
from zerosight.scale.work import Opened


class Counting:
    """Answers with what it is given."""

    def open(self) -> Opened:
        return Opened(iter, None, {"a": 1}, False)


def test_the_rate_begins_with_the_first_results():
    row = _row("ray 1", [(10.0, 0), (14.0, 64), (15.0, 64), (18.0, 32)], 300.0, 400.0)
    assert (row.images, row.first_seconds, row.rate, row.model_mb) == (160, 4.0, 24.0, 400.0)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what a process takes")
def test_a_models_process_notes_what_it_takes_with_every_portion(tmp_path):
    opened = _Watched(Counting(), str(tmp_path)).open()
    assert opened.settings == {"a": 1}
    assert not list(tmp_path.iterdir())
    assert list(opened.stream([1, 2])) == [1, 2]
    [note] = tmp_path.iterdir()
    loaded, peak = parse_json(note.read_text())
    assert 10 < loaded <= peak


def test_every_way_stands_beside_the_plain_loop_over_as_many_images():
    rows = [
        ScaleRow("local", 1000, 1.0, 20.0, 300.0, 350.0),
        ScaleRow("ray 2", 1000, 9.0, 30.0, 400.0, 500.0, 600.0, 0.05, 0.2),
        ScaleRow("local", 2000, 1.0, 10.0, None, None),
    ]
    shown: list[Any] = [row[1:] for row in _table(rows).rows]
    assert shown == [
        ("1,000", "1.0", "20.0", "1.00", "300", "350", "", "", ""),
        ("1,000", "9.0", "30.0", "1.50", "400", "500", "600", "0.05", "0.2"),
        ("2,000", "1.0", "10.0", "1.00", "", "", "", "", ""),
    ]


def test_too_few_images_are_refused_before_anything_starts():
    with pytest.raises(ConfigError, match="--images: at least 256, to see a rate, got 255"):
        benchmark_scale(RANDOM, "ray", (1000, 255))
