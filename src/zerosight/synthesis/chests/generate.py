"""Generate: a folder of phantoms of any size from a seed, the same bytes for any number of processes.

    FOLDER/phantoms.json      what was asked for
    FOLDER/images/000000.png  8-bit grey
    FOLDER/masks/000000/…png  where findings and lungs are, if asked for
    FOLDER/manifest.jsonl     labels and reports; written last

An image that is there is finished; phantom k depends on the seed and k alone.
"""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from zerosight.data.chest.names import NO_FINDING
from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.data.rows import LEFT_LUNG, RIGHT_LUNG
from zerosight.errors import ConfigError, OutputError
from zerosight.files import write_atomically
from zerosight.guarded.json import read_json
from zerosight.synthesis.chests.phantom import PhantomPlan, check_size, make_phantom, plan_phantom
from zerosight.synthesis.generation import Progress, generate, output_folder

_REVISION = 1  # of the drawing: pictures of another one are not mixed with these


def write_phantoms(
    folder: Path,
    count: int,
    seed: int = 0,
    size: int = 320,
    workers: int = 1,
    progress: Progress | None = None,
    *,
    masks: bool = False,
) -> Path:
    """Write phantoms and their manifest, and return the manifest's path.

    Args:
        folder: Where to write. When it holds phantoms of the same seed and size, only the rest is drawn.
        count: Number of phantoms, at least 1.
        seed: Start of all chance; phantom k depends on seed and k alone.
        size: Height and width in pixels, 64 to 2048.
        workers: Processes; 0 takes one per core.
        progress: Told the number of finished phantoms and of all.
        masks: Whether to write where findings and lungs are, too; the rows then have regions.

    Raises:
        ConfigError: A number is out of range.
        OutputError: The folder holds other phantoms, or cannot be written.
    """
    check_size(size)
    for name, value, least in (("count", count, 1), ("seed", seed, 0), ("workers", workers, 0)):
        if value < least:
            raise ConfigError(f"{name} {value} is too small; use {least} or more")
    with output_folder(folder, "images"):
        _claim(folder, seed, size)
        generate(partial(_write_chunk, folder, seed, size, masks), count, workers, progress)
        manifest = folder / "manifest.jsonl"
        write_manifest(manifest, _header(seed), (_row(folder, seed, k, masks) for k in range(count)))
    return manifest


def record(plan: PhantomPlan, index: int) -> Record:
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


def _row(folder: Path, seed: int, index: int, masks: bool) -> Record:
    """Return the manifest's row of a phantom that is written, with its regions if they are asked for."""
    row = record(plan_phantom(seed, index), index)
    if not masks:
        return row
    files = sorted((folder / _masks(index)).glob("*.png"))
    return replace(row, regions={file.stem: f"{_masks(index)}/{file.name}" for file in files})


def _masks(index: int) -> str:
    return f"masks/{index:06d}"


def _header(seed: int) -> ManifestHeader:
    return ManifestHeader(
        name="chest_phantoms",
        root=".",
        licence="Apache-2.0",
        source=f"zerosight data phantoms, seed {seed}; drawn by procedure, no patient's data",
    )


def _claim(folder: Path, seed: int, size: int) -> None:
    """Note what the folder holds, or refuse one that holds something else."""
    note = folder / "phantoms.json"
    asked = {"revision": _REVISION, "seed": seed, "size": size}
    if note.exists():
        try:
            there = read_json(note)
        except ValueError:
            there = None
        if there != asked:
            raise OutputError(f"{folder}: holds other phantoms; name another folder or delete this one")
    else:
        write_atomically(note, json.dumps(asked).encode() + b"\n")


def _write_chunk(folder: Path, seed: int, size: int, masks: bool, chunk: range) -> None:
    """Write one chunk; runs in a worker. The left lung is the last mask, and the image comes after it."""
    for index in chunk:
        path = folder / "images" / f"{index:06d}.png"
        if path.exists() and (not masks or (folder / _masks(index) / f"{LEFT_LUNG}.png").exists()):
            continue
        phantom = make_phantom(seed, index, size)
        if masks:
            lungs = {RIGHT_LUNG: phantom.lungs["right"], LEFT_LUNG: phantom.lungs["left"]}
            for name, mask in (dict(phantom.masks) | lungs).items():
                _write_png(folder / _masks(index) / f"{name}.png", mask.astype(np.uint8) * 255)
        _write_png(path, phantom.image)


def _write_png(path: Path, pixels: UInt8[np.ndarray, "size size"]) -> None:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    write_atomically(path, data.getvalue())
