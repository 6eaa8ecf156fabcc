from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from zerosight.benchmark.serve import draw, resident, running
from zerosight.errors import ProcessError


def test_pictures_are_drawn_alike_every_time(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, second = draw(tmp_path, 2), draw(tmp_path / "again", 2)
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert first[0].read_bytes() != first[1].read_bytes()


def test_memory_is_told_where_the_system_tells_it() -> None:
    assert resident(os.getpid()) > 10 or math.isnan(resident(os.getpid()))
    assert math.isnan(resident(2**30))


def test_a_server_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="no model or model folder is called"), running("no", tmp_path, 1):
        raise AssertionError
