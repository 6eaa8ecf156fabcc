"""Generate: a folder of phantoms of any size from a seed, the same bytes for any number of processes.

    FOLDER/phantoms.json      what was asked for
    FOLDER/images/000000.png  8-bit grey
    FOLDER/manifest.jsonl     labels and reports; written last

An image that is there is whole, so an interrupted run goes on where it stopped, and a larger count adds to
what is there.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

from zerosight.data.chest.findings import NO_FINDING
from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.data.synthetic.chest.phantom import Plan, check_size, make_phantom, plan_phantom
from zerosight.errors import ConfigError, OutputError
from zerosight.files import write_atomically

Progress = Callable[[int, int], None]

_CHUNK = 16
_REVISION = 1  # of the drawing: pictures of another one are not mixed with these


def write_phantoms(
    folder: Path,
    count: int,
    seed: int = 0,
    size: int = 320,
    workers: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write phantoms and their manifest, and return the manifest's path.

    Args:
        folder: Where to write. When it holds phantoms of the same seed and size, only the rest is drawn.
        count: Number of phantoms, at least 1.
        seed: Start of all chance; phantom k depends on seed and k alone.
        size: Height and width in pixels, 64 to 2048.
        workers: Processes; 0 takes one per core.
        progress: Told the number of finished phantoms and of all.

    Raises:
        ConfigError: A number is out of range.
        OutputError: The folder holds other phantoms, or cannot be written.
    """
    check_size(size)
    for name, value, least in (("count", count, 1), ("seed", seed, 0), ("workers", workers, 0)):
        if value < least:
            raise ConfigError(f"{name} {value} is too small; use {least} or more")
    try:
        _claim(folder, seed, size)
        _write_all(folder, count, seed, size, workers, progress)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            f"{folder}: cannot be written ({reason}); free space, then run again to go on"
        ) from None
    manifest = folder / "manifest.jsonl"
    write_manifest(manifest, _header(seed), (record(plan_phantom(seed, k), k) for k in range(count)))
    return manifest


def record(plan: Plan, index: int) -> Record:
    """Return the manifest's row of a phantom; each is a patient of its own."""
    return Record(
        image=f"images/{index:06d}.png",
        label=0 if plan.labels[NO_FINDING] else 1,
        labels=plan.labels,
        text=plan.report,
        category="chest",
        split=plan.split,
        group=f"phantom-{index:06d}",
    )


def _header(seed: int) -> ManifestHeader:
    return ManifestHeader(
        name="chest_phantoms",
        root=".",
        licence="Apache-2.0",
        source=f"zerosight data phantoms, seed {seed}; drawn by procedure, no patient's data",
    )


def _claim(folder: Path, seed: int, size: int) -> None:
    """Make the folders and note what they hold, or refuse a folder that holds something else."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    note = folder / "phantoms.json"
    asked = {"revision": _REVISION, "seed": seed, "size": size}
    if note.exists():
        try:
            there = json.loads(note.read_text(encoding="utf-8"))
        except ValueError:
            there = None
        if there != asked:
            raise OutputError(f"{folder}: holds other phantoms; name another folder or delete this one")
    else:
        write_atomically(note, json.dumps(asked).encode() + b"\n")


def _write_all(
    folder: Path, count: int, seed: int, size: int, workers: int, progress: Progress | None
) -> None:
    """Write all phantoms that are not there yet, in this process or in others."""
    chunks = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    processes = min(workers or os.cpu_count() or 1, len(chunks))
    finished = 0
    done = (
        (_write_chunk(folder, seed, size, chunk) for chunk in chunks)
        if processes == 1
        else _in_pool(folder, seed, size, chunks, processes)
    )
    for number in done:
        finished += number
        if progress is not None:
            progress(finished, count)


def _in_pool(folder: Path, seed: int, size: int, chunks: list[range], processes: int) -> Iterator[int]:
    """Write the chunks in fresh processes, yielding the size of each as it is finished."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            waiting = [pool.submit(_write_chunk, folder, seed, size, chunk) for chunk in chunks]
            for future in as_completed(waiting):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _write_chunk(folder: Path, seed: int, size: int, chunk: range) -> int:
    """Write one chunk and return its size; runs in a worker."""
    for index in chunk:
        path = folder / "images" / f"{index:06d}.png"
        if not path.exists():
            data = io.BytesIO()
            Image.fromarray(make_phantom(seed, index, size).image).save(data, "PNG")
            write_atomically(path, data.getvalue())
    return len(chunk)
