"""The shared loop: every number once, processes that vanish, and folders that are taken."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from zerosight.errors import OutputError
from zerosight.identity import FolderLock
from zerosight.synthesis.generation import generate, output_folder

VANISH = partial(max, key=os._exit)  # a function of a range that ends its process, and can be pickled
ORPHANS = """
import time
from functools import partial
from zerosight.synthesis.generation import generate
if __name__ == "__main__":
    generate(partial(max, key=time.sleep), 64, 2)
"""


def test_every_number_is_drawn_once_and_told() -> None:
    drawn: list[int] = []
    told: list[tuple[int, int]] = []
    generate(drawn.extend, 37, 1, lambda done, total: told.append((done, total)))
    assert drawn == list(range(37))
    assert told == [(16, 37), (32, 37), (37, 37)]


def test_a_process_that_vanishes_is_one_line() -> None:
    with pytest.raises(OutputError, match=r"was ended from outside, .* run again to go on"):
        generate(VANISH, 40, 2)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks processes up in /proc")
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "draw.py"
    script.write_text(ORPHANS, encoding="utf-8")
    with subprocess.Popen([sys.executable, script]) as parent:
        started = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        for _ in range(300):
            children = started.read_text().split()
            drawing = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            if len(drawing) == 2:
                break
            time.sleep(0.1)
        time.sleep(1)
        parent.kill()
    for _ in range(100):
        left = [pid for pid in drawing if Path(f"/proc/{pid}").exists()]
        if not left:
            break
        time.sleep(0.1)
    assert not left


def test_a_folder_that_another_run_writes_to_is_refused(tmp_path: Path) -> None:
    with (
        FolderLock(tmp_path),
        pytest.raises(OutputError, match="another run is writing here"),
        output_folder(tmp_path, "images"),
    ):
        pass
