"""Generate: auxiliary data of any amount from a seed, the same bytes for any number of workers.

    OUT/synthesis.yaml        the configuration
    OUT/images/000000.jpg     quality 92
    OUT/masks/000000.png      0 and 255; anomalous images only
    OUT/manifest.jsonl        written last

Each image is written after its mask, and both whole or not at all; so an image that is there is finished, and
an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.data.synthetic.bases import FolderScan, scan_folders
from zerosight.data.synthetic.sample import Plan, Sampler, SynthesisConfig
from zerosight.errors import OutputError

Progress = Callable[[int, int], None]

_CHUNK = 16
_log = logging.getLogger(__name__)


def synthesize(config: SynthesisConfig, out: Path, progress: Progress | None = None) -> Path:
    """Write synthesized images, masks and a manifest, and return the manifest's path.

    Args:
        config: What is synthesized. Unreadable files of its folders are left out, with a warning that
            counts them.
        out: Folder to write to. When it holds a part of the same configuration, only the rest is drawn; a
            larger ``count`` adds to what is there.
        progress: Told the number of finished images and of all.

    Raises:
        DataError: A folder of base images is missing or holds none.
        OutputError: The folder holds another configuration, or cannot be written.
    """
    scan = scan_folders(config.base_folders)
    if scan.skipped:
        _log.warning("%d base images skipped, the first: %s", len(scan.skipped), scan.skipped[0])
    try:
        _claim(config, scan, out)
        _write_all(config, scan.images, out, progress)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            f"{out}: cannot be written ({reason}); free space, then run again to go on"
        ) from None
    sampler = Sampler(config, scan.images)
    manifest = out / "manifest.jsonl"
    write_manifest(manifest, header(config), (record(sampler.plan(i), scan) for i in range(config.count)))
    return manifest


def header(config: SynthesisConfig) -> ManifestHeader:
    """Return the manifest's header, which names where the bases are from."""
    folders = ", ".join(path.name for path in config.base_folders)
    bases = "drawn by procedure and from scikit-image's photographs" + (
        f", and from {folders}" if folders else ""
    )
    return ManifestHeader(
        name="synthetic",
        root=".",
        licence="" if folders else "Apache-2.0",
        citation="",
        source=f"zerosight data synthesize, seed {config.seed}; bases {bases}",
    )


def record(plan: Plan, scan: FolderScan) -> Record:
    """Return the manifest's row of a sample."""
    family, _, name = plan.category.partition("/")
    return Record(
        image=f"images/{plan.index:06d}.jpg",
        mask=f"masks/{plan.index:06d}.png" if plan.anomalous else None,
        label=1 if plan.anomalous else 0,
        category=f"folder/{scan.images[int(name)].parent.name}" if family == "folder" else plan.category,
        split=plan.split,
        group=f"base-{plan.base:06d}",
    )


def write_sample(sampler: Sampler, index: int, out: Path) -> None:
    """Draw one sample and write its mask and then its image, unless the image is there already."""
    image_path = out / "images" / f"{index:06d}.jpg"
    if image_path.exists():
        return
    sample = sampler.draw(index)
    if sample.plan.anomalous:
        _save(Image.fromarray(sample.mask.astype(np.uint8) * 255), out / "masks" / f"{index:06d}.png")
    _save(Image.fromarray(sample.image), image_path)


def _claim(config: SynthesisConfig, scan: FolderScan, out: Path) -> None:
    """Make the folders and save the configuration, or refuse a folder that holds another one."""
    for name in ("images", "masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    path = out / "synthesis.yaml"
    if path.exists():
        there = SynthesisConfig.load(path)
        free = {"count": config.count, "workers": config.workers}
        if there.model_copy(update=free) != config:
            raise OutputError(
                f"{out}: holds data of another configuration; name another folder or delete this one"
            )
    _replace(path, config.model_copy(update={"workers": 0}).save)


def _write_all(
    config: SynthesisConfig, images: tuple[Path, ...], out: Path, progress: Progress | None
) -> None:
    """Write all samples, in this process or in others."""
    workers = min(config.workers or os.cpu_count() or 1, -(-config.count // _CHUNK))
    chunks = (range(start, min(start + _CHUNK, config.count)) for start in range(0, config.count, _CHUNK))
    finished = 0
    done = (
        _in_pool(config, images, out, chunks, workers) if workers > 1 else _here(config, images, out, chunks)
    )
    for count in done:
        finished += count
        if progress is not None:
            progress(finished, config.count)


def _here(
    config: SynthesisConfig, images: tuple[Path, ...], out: Path, chunks: Iterator[range]
) -> Iterator[int]:
    """Write the chunks one by one in this process, yielding the size of each."""
    sampler = Sampler(config, images)
    for chunk in chunks:
        for index in chunk:
            write_sample(sampler, index, out)
        yield len(chunk)


def _in_pool(
    config: SynthesisConfig, images: tuple[Path, ...], out: Path, chunks: Iterator[range], workers: int
) -> Iterator[int]:
    """Write the chunks in fresh processes, a few waiting at a time, yielding the size of each."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: set[Future[int]] = set()
        try:
            while True:
                for chunk in islice(chunks, 2 * workers - len(waiting)):
                    waiting.add(pool.submit(_write_chunk, config, images, out, chunk))
                if not waiting:
                    return
                ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _write_chunk(config: SynthesisConfig, images: tuple[Path, ...], out: Path, chunk: range) -> int:
    """Write one chunk and return its size; runs in a worker."""
    sampler = Sampler(config, images)
    for index in chunk:
        write_sample(sampler, index, out)
    return len(chunk)


def _save(image: Image.Image, path: Path) -> None:
    """Write an image, whole or not at all."""
    data = io.BytesIO()
    if path.suffix == ".jpg":
        image.save(data, "JPEG", quality=92, subsampling=0)
    else:
        image.save(data, "PNG")
    _replace(path, lambda temporary: temporary.write_bytes(data.getvalue()))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place and then move it there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
