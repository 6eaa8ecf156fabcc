"""Generation: numbered pictures of any amount, in this process or in others, the same bytes for any number.

A picture that is there is whole, so an interrupted run goes on where it stopped, and a larger count adds to
what is there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from zerosight.errors import OutputError
from zerosight.files import inside, sweep
from zerosight.identity import FolderLock

Progress = Callable[[int, int], None]
GO_ON = "free space, then run again to go on"

_CHUNK = 16


@contextmanager
def output_folder(folder: Path, *parts: str) -> Iterator[None]:
    """Make a folder and its parts, keep other runs out of it, and tell in one line why it cannot be written.

    Raises:
        OutputError: The folder cannot be written, or another run is writing there.
    """
    try:
        for part in parts:
            inside(folder, part).mkdir(parents=True, exist_ok=True)
        with FolderLock(folder):
            sweep(folder, "", "*/")
            yield
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}); {GO_ON}") from None


def generate(
    draw: Callable[[range], object], count: int, workers: int, progress: Progress | None = None
) -> None:
    """Draw the pictures 0 … ``count`` - 1.

    Args:
        draw: Writes those of a range of pictures that are not there yet. What it writes depends on their
            numbers alone. It is sent to other processes, so it can be pickled.
        count: Number of pictures, at least 1.
        workers: Processes; 0 takes one per core.
        progress: Told the number of finished pictures and of all.

    Raises:
        OutputError: A process was ended from outside, for example because memory ran out.
    """
    chunks = (range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))
    processes = min(workers or os.cpu_count() or 1, -(-count // _CHUNK))
    finished = 0
    for number in _here(draw, chunks) if processes == 1 else _in_pool(draw, chunks, processes):
        finished += number
        if progress is not None:
            progress(finished, count)


def _here(draw: Callable[[range], object], chunks: Iterator[range]) -> Iterator[int]:
    """Draw the chunks one by one in this process, yielding the size of each."""
    for chunk in chunks:
        yield _draw(draw, chunk)


def _in_pool(draw: Callable[[range], object], chunks: Iterator[range], processes: int) -> Iterator[int]:
    """Draw the chunks in fresh processes, a few waiting at a time, yielding the size of each."""
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_end_with_parent
    ) as pool:
        waiting: set[Future[int]] = set()
        try:
            while True:
                for chunk in islice(chunks, 2 * processes - len(waiting)):
                    waiting.add(pool.submit(_draw, draw, chunk))
                if not waiting:
                    return
                ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
        except BrokenProcessPool:
            raise OutputError(
                "a process that draws was ended from outside, often for want of memory; run again to go on, "
                "with fewer workers or a smaller size"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _draw(draw: Callable[[range], object], chunk: range) -> int:
    """Draw one chunk and return its size; runs in a worker."""
    draw(chunk)
    return len(chunk)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however that ended."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
