"""Generate: auxiliary data of any amount from a seed, the same bytes for any number of workers.

    OUT/synthesis.yaml        the configuration
    OUT/bases.txt             what the folders of base images held, where there are any
    OUT/images/000000.jpg     quality 92
    OUT/masks/000000.png      0 and 255; anomalous images only
    OUT/manifest.jsonl        written last

Each image is written after its mask, and both whole or not at all; so an image that is there is finished.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.errors import OutputError
from zerosight.files import replacing, write_atomically
from zerosight.identity import holds, seal, stamp
from zerosight.synthesis.generation import GO_ON, Progress, generate, output_folder
from zerosight.synthesis.surfaces.bases import FolderScan, scan_folders
from zerosight.synthesis.surfaces.sample import Sampler, SurfacePlan, SynthesisConfig

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
        OutputError: The folder holds another configuration or images over other bases, or cannot be written.
    """
    scan = scan_folders(config.base_folders)
    if scan.skipped:
        _log.warning("%d base images skipped, the first: %s", len(scan.skipped), scan.skipped[0])
    with output_folder(out, "images", "masks"):
        _claim(config, scan.images, out)
        generate(partial(_write_chunk, config, scan.images, out), config.count, config.workers, progress)
        sampler = Sampler(config, scan.images)
        manifest = out / "manifest.jsonl"
        rows = (record(sampler.plan(index), scan) for index in range(config.count))
        write_manifest(manifest, header(config), rows)
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


def record(plan: SurfacePlan, scan: FolderScan) -> Record:
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


def _claim(config: SynthesisConfig, bases: tuple[Path, ...], out: Path) -> None:
    """Save the configuration and what the bases are, or refuse a folder that holds images of others."""
    path, note = out / "synthesis.yaml", out / "bases.txt"
    if path.exists() and bases and not (note.exists() and holds(note.read_text("utf-8").strip(), *bases)):
        raise OutputError(
            f"{out}: holds images drawn over other base images than those of {config.base_folders[0]} now; "
            "name another folder or delete this one"
        )
    if path.exists():
        there = SynthesisConfig.load(path)
        free = {"count": config.count, "workers": config.workers}
        if there.model_copy(update=free) != config:
            raise OutputError(
                f"{out}: holds data of another configuration; name another folder or delete this one"
            )
    if bases and not path.exists():
        write_atomically(note, f"{seal(stamp(*bases), *bases)}\n".encode())
    config.model_copy(update={"workers": 0}).save(path)


def _write_chunk(config: SynthesisConfig, images: tuple[Path, ...], out: Path, chunk: range) -> None:
    """Write one chunk; runs in a worker."""
    sampler = Sampler(config, images)
    for index in chunk:
        write_sample(sampler, index, out)


def _save(image: Image.Image, path: Path) -> None:
    """Write an image, whole or not at all."""
    with replacing(path, GO_ON) as temporary:
        if path.suffix == ".jpg":
            image.save(temporary, "JPEG", quality=92, subsampling=0)
        else:
            image.save(temporary, "PNG")
