"""A small test set made on the spot: photographs that training never used, half of them damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from zerosight.data.manifest import Manifest, read_manifest
from zerosight.files import inside, replacing, write_atomically
from zerosight.synthesis.chests import write_phantoms
from zerosight.synthesis.surfaces import DEMO_PHOTOGRAPHS, SynthesisConfig, synthesize
from zerosight.synthesis.surfaces.bases import as_picture, read_base_image, whole
from zerosight.synthesis.surfaces.camera import Look
from zerosight.synthesis.surfaces.fields import coordinates
from zerosight.synthesis.surfaces.materials import Base
from zerosight.synthesis.surfaces.sample import Sampler

SEED = 2505
COUNT = 32
SIZE = 384
CHEST_SEED, CHEST_COUNT, CHEST_SIZE = 2610, 120, 320
PART, PART_SHARE, PART_SEED, PART_NORMALS, PART_JUDGED, PART_SIZE = "brick", 0.5, 1126, 8, 32, 320
FINDINGS_SHOWN = ("pleural effusion", "pneumothorax", "cardiomegaly", "lung opacity", "nodule", "no finding")


def make_demo_data(out: Path) -> Manifest:
    """Return a set of crops of scikit-image's photographs, every other one damaged, with masks.

    Args:
        out: Folder to write to; what an earlier run finished there is kept.

    Raises:
        OutputError: The folder cannot be written.
    """
    photographs = inside(out, "photographs")
    for path in sorted(Path(str(skimage.data.data_dir)).iterdir()):
        if path.stem in DEMO_PHOTOGRAPHS:
            write_atomically(photographs / path.name, path.read_bytes())
    config = SynthesisConfig(
        count=COUNT, size=SIZE, seed=SEED, base_folders=(photographs,), folder_fraction=1.0, workers=1
    )
    return read_manifest(synthesize(config, out / "data"))


@dataclass(frozen=True, slots=True)
class PartData:
    """Pictures of one kind of part.

    Attributes:
        normals: Good ones, to compare with.
        judged: Good and damaged ones, in turn.
        masks: Of the judged ones; None of good ones.
    """

    normals: tuple[Path, ...]
    judged: tuple[Path, ...]
    masks: tuple[Path | None, ...]


class _Part:
    """One texture as a part: squares of one size from anywhere in a photograph, under a lamp that moves.

    Args:
        photograph: The texture.
    """

    def __init__(self, photograph: Path) -> None:
        self.image = read_base_image(photograph)

    def choose(self, rng: np.random.Generator) -> str:
        """Return the only category."""
        return "folder/0"

    def draw(self, rng: np.random.Generator, category: str, size: int) -> Base:
        """Return a square of the photograph."""
        side = round(PART_SHARE * min(self.image.size))
        left, top = (int(rng.integers(0, extent - side + 1)) for extent in self.image.size)
        box = (left, top, left + side, top + side)
        return whole(as_picture(self.image.resize((size, size), Image.Resampling.BICUBIC, box=box)))


def _under_a_lamp(rng: np.random.Generator, size: int, family: str) -> Look:
    """Return one camera's look in changing light: brighter or darker, from any side."""
    x, _ = coordinates(size, rng.uniform(0, 2 * np.pi))
    return Look(
        colour=1.0,
        gain=1.0,
        level=0.5,
        cast=(1.0, 1.0, 1.0),
        gamma=1.0,
        light=(rng.uniform(0.9, 1.1) + rng.uniform(0, 0.15) * x).astype(np.float32),
        blur=0.6,
        shrink=1.0,
        grain=0.012,
        clump=1.0,
        quality=None,
    )


def make_part_data(out: Path) -> PartData:
    """Return pictures of one texture in changing light and position: good ones, and ones to judge.

    Args:
        out: Folder to write to.

    Raises:
        OutputError: The folder cannot be written.
    """
    photograph = Path(str(skimage.data.data_dir)) / f"{PART}.png"
    config = SynthesisConfig(
        count=2 * PART_NORMALS + PART_JUDGED, size=PART_SIZE, seed=PART_SEED, twin_fraction=0
    )
    sampler = Sampler(config, source=_Part(photograph), camera=_under_a_lamp)
    normals, judged, masks = [], [], []
    for index in range(config.count):
        is_reference = index < 2 * PART_NORMALS
        if is_reference and sampler.plan(index).anomalous:
            continue
        sample = sampler.draw(index)
        path = inside(out, "good" if is_reference else "parts") / f"{index:02d}.png"
        _save(Image.fromarray(sample.image), path)
        if is_reference:
            normals.append(path)
            continue
        judged.append(path)
        masks.append(inside(out, "masks") / path.name if sample.plan.anomalous else None)
        if masks[-1] is not None:
            _save(Image.fromarray(sample.mask.astype(np.uint8) * 255), masks[-1])
    return PartData(tuple(normals), tuple(judged), tuple(masks))


def _save(picture: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG")


def make_chest_data(out: Path) -> Manifest:
    """Return chest X-rays drawn by procedure from a seed that training never used, with labels and reports.

    Args:
        out: Folder to write to; what an earlier run finished there is kept.

    Raises:
        OutputError: The folder cannot be written.
    """
    return read_manifest(write_phantoms(out / "data", CHEST_COUNT, CHEST_SEED, CHEST_SIZE))
