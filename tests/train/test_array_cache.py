"""The limit of a cache: for all runs together, leftovers of killed ones included."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch

from zerosight.train.array_cache import LEDGER, ArrayCache

LIMIT = 100_000


def cache(root: Path, limit: int = LIMIT) -> ArrayCache:
    return ArrayCache(root, "tower", 1000, "float32", limit)


def key(i: int) -> str:
    return f"{i:064x}"


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and path.name != LEDGER)


def fill(root: Path, first: int) -> None:
    """Put 20 entries; runs in a process of its own."""
    own = cache(root)
    for i in range(first, first + 20):
        own.put(key(i), torch.full((1000,), float(i)))


def test_runs_that_share_a_folder_share_the_limit(tmp_path: Path):
    runs = [cache(tmp_path) for _ in range(3)]
    for i in range(20):
        for number, run in enumerate(runs):
            run.put(key(100 * number + i), torch.zeros(1000))
    assert LIMIT - 2 * runs[0].entry_bytes < size(tmp_path) <= LIMIT


def test_processes_that_share_a_folder_share_the_limit(tmp_path: Path):
    spawn = multiprocessing.get_context("spawn")
    runs = [spawn.Process(target=fill, args=(tmp_path, first)) for first in (0, 1000)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0]
    assert LIMIT - 2 * cache(tmp_path).entry_bytes < size(tmp_path) <= LIMIT


def test_what_killed_runs_left_is_swept_when_a_run_begins_and_when_it_is_full(tmp_path: Path):
    first = cache(tmp_path)
    first.put(key(0), torch.zeros(1000))
    folder = first.path(key(0)).parent
    (folder / ".aa.features.part.features").write_bytes(bytes(50_000))
    second = cache(tmp_path)
    assert [path.name for path in folder.iterdir()] == [first.path(key(0)).name]
    (folder / ".bb.features.k3j2").write_bytes(bytes(99_000))
    for i in range(1, 40):
        second.put(key(i), torch.zeros(1000))
    assert size(tmp_path) <= LIMIT
    assert second.get(key(20)) is not None


@pytest.mark.parametrize("damage", [b"", b"many", b"9" * 20, b"0" * 30])
def test_a_damaged_ledger_is_made_again(tmp_path: Path, damage: bytes):
    run = cache(tmp_path)
    (tmp_path / LEDGER).write_bytes(damage)
    for i in range(40):
        run.put(key(i), torch.zeros(1000))
    assert LIMIT - 2 * run.entry_bytes < size(tmp_path) <= LIMIT


def test_a_folder_that_cannot_be_written_is_read(tmp_path: Path):
    cache(tmp_path).put(key(0), torch.ones(1000))
    (tmp_path / LEDGER).unlink()
    (tmp_path / LEDGER).mkdir()  # as good as read-only, even for the superuser
    run = cache(tmp_path)
    run.put(key(1), torch.ones(1000))
    assert run.get(key(0)) is not None
    assert run.get(key(1)) is None
