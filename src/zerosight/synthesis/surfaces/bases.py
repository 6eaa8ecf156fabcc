"""Sources of base images: procedures by name, scikit-image's photographs, folders of the user's.

A source is named by a category such as ``texture/wood``; the part before the slash is its family, which
decides how often it is drawn and which defects suit it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

from zerosight.data.find import SUFFIXES, is_drawn
from zerosight.data.pixels import read_image
from zerosight.errors import DataError, ZerosightError
from zerosight.synthesis.surfaces import anatomy, assemblies, heads, objects, tissue
from zerosight.synthesis.surfaces.fields import Picture
from zerosight.synthesis.surfaces.materials import TEXTURES, Base, Texture
from zerosight.synthesis.surfaces.shapes import pick

Draw = Callable[[np.random.Generator, int], Base]

DEMO_PHOTOGRAPHS = ("brick", "gravel", "coffee", "coins", "chelsea", "grass", "moon", "retina")
"""Photographs of scikit-image on which the demo shows the shipped weights; never a base."""

TRAINING_PHOTOGRAPHS = (
    "astronaut.png",
    "camera.png",
    "cell.png",
    "clock_motion.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "page.png",
    "rocket.jpg",
    "text.png",
)
"""Photographs in scikit-image's wheel that serve as bases."""

FAMILIES: Mapping[str, float] = MappingProxyType(
    {"texture": 0.35, "object": 0.21, "assembly": 0.09, "anatomy": 0.2, "tissue": 0.1, "photo": 0.05}
)
"""How often each family is drawn when no folder is given."""

_FREQUENT: Mapping[str, int] = MappingProxyType(
    {"anatomy/brain": 5, "tissue/skin": 2, "tissue/mucosa": 2, "texture/ground_tile": 3, "texture/rolled": 3}
)
"""Procedures of so much variety that they are drawn more often than others of their family."""

_MAX_SIDE = 1024
_MIN_SIDE = 48


def turned(rng: np.random.Generator, picture: Picture) -> Picture:
    """Return the picture mirrored and turned by a random number of quarters."""
    picture = np.rot90(picture, int(rng.integers(4)))
    return np.ascontiguousarray(picture[:, ::-1] if rng.random() < 0.5 else picture)


def as_picture(image: Image.Image) -> Picture:
    """Return an RGB image as floats in [0, 1]."""
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def as_image(picture: Picture) -> Image.Image:
    """Return a picture, clipped to [0, 1], as an RGB image."""
    return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))


def whole(picture: Picture) -> Base:
    """Return the picture as a base on which a defect may lie anywhere."""
    return Base(picture, np.ones(picture.shape[:2], dtype=bool))


def rotated(rng: np.random.Generator, texture: Texture, size: int) -> Picture:
    """Draw a texture and turn it by any angle, cutting it so that no corner is empty."""
    large = math.ceil(size * math.sqrt(2)) + 4
    image = as_image(texture(rng, large)).rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR)
    edge = (large - size) // 2
    return as_picture(image.crop((edge, edge, edge + size, edge + size)))


def draw_texture(rng: np.random.Generator, size: int, texture: Texture) -> Base:
    """Draw a texture in any of its orientations."""
    if rng.random() < 0.25:
        return whole(rotated(rng, texture, size))
    picture = np.asarray(texture(rng, size), dtype=np.float32)
    return whole(turned(rng, picture) if rng.random() < 0.6 else picture)


def crop(rng: np.random.Generator, image: Image.Image, size: int) -> Base:
    """Return a random square of an image, scaled to ``size``."""
    shortest = min(image.size)
    side = int(min(shortest, max(_MIN_SIDE, shortest * rng.uniform(0.3, 1))))
    left, top = (int(rng.integers(0, extent - side + 1)) for extent in image.size)
    square = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return whole(turned(rng, as_picture(square)) if rng.random() < 0.5 else as_picture(square))


def _textures() -> dict[str, Draw]:
    """Return a draw function for each texture."""

    def bound(texture: Texture) -> Draw:
        return lambda rng, size: draw_texture(rng, size, texture)

    return {f"texture/{name}": bound(texture) for name, texture in TEXTURES.items()}


def procedures() -> dict[str, Draw]:
    """Return every procedure by category."""
    named: dict[str, tuple[Draw, ...]] = {
        "object": (
            objects.disc,
            objects.body_with_parts,
            objects.screw,
            objects.capsule,
            objects.cable,
            objects.component,
            objects.filling,
        ),
        "assembly": (assemblies.array, assemblies.heap, assemblies.circuit, assemblies.tray),
        "anatomy": (
            heads.brain,
            heads.head_side,
            anatomy.trunk,
            anatomy.chest,
            anatomy.fundus,
            anatomy.layers,
            anatomy.ultrasound,
            anatomy.film,
        ),
        "tissue": (tissue.skin, tissue.mucosa, tissue.section, tissue.culture),
    }
    drawn = {f"{family}/{draw.__name__}": draw for family, draws in named.items() for draw in draws}
    return _textures() | drawn


@dataclass(frozen=True, slots=True)
class FolderScan:
    """What a folder of base images holds.

    Attributes:
        images: Files that can be read, sorted by name.
        skipped: Files with an image's suffix that cannot, each with the reason.
    """

    images: tuple[Path, ...]
    skipped: tuple[str, ...]


def read_base_image(path: Path) -> Image.Image:
    """Return an RGB image with its longer side at most 1,024 pixels; also reads Targa files.

    Raises:
        ZerosightError: It cannot be read, or is narrower than 48 pixels.
    """
    if path.suffix.lower() == ".tga":
        try:
            with Image.open(path, formats=("TGA",)) as file:  # noqa: TID251  # Targa alone is read here
                image = read_image(file)
        except ZerosightError as error:
            raise DataError(f"{path}: {str(error).removeprefix('PIL image: ')}") from None
        except Exception as error:  # the decoder raises anything at all on hostile bytes
            raise DataError(f"{path}: is not a Targa image ({error.__class__.__name__})") from None
    else:
        image = read_image(path)
    if min(image.size) < _MIN_SIDE:
        raise DataError(
            f"{path}: is {image.size[0]} × {image.size[1]}; a base needs {_MIN_SIDE} pixels a side"
        )
    image = image.convert("RGB")
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    if min(image.size) < 16:
        raise DataError(f"{path}: is too long and narrow to cut a square from")
    return image


def scan_folders(folders: Iterable[Path]) -> FolderScan:
    """Return the readable images below the folders, and those that had to be skipped.

    Raises:
        DataError: A folder is missing or holds no readable image.
    """
    images: list[Path] = []
    skipped: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: is not a folder; give one that holds photographs or textures")
        before = len(images)
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in SUFFIXES | {".tga"} or not path.is_file() or is_drawn(path, folder):
                continue
            try:
                read_base_image(path)
            except ZerosightError as error:
                skipped.append(str(error))
            else:
                images.append(path)
        if len(images) == before:
            raise DataError(f"{folder}: holds no readable image (of PNG, JPEG, Targa and the like)")
    return FolderScan(tuple(images), tuple(skipped))


class BaseSource:
    """Draws bases of all kinds; holds the photographs it has decoded."""

    def __init__(self, images: tuple[Path, ...] = (), folder_fraction: float = 0.3) -> None:
        self._images = images
        self._folder_fraction = folder_fraction if images else 0.0
        self._draws = procedures()
        self._members = {
            family: [c for c in self._draws if c.startswith(family + "/") for _ in range(_FREQUENT.get(c, 1))]
            for family in FAMILIES
        }
        self._decoded: dict[Path, Image.Image] = {}

    def choose(self, rng: np.random.Generator) -> str:
        """Return a random category."""
        if rng.random() < self._folder_fraction:
            return f"folder/{int(rng.integers(len(self._images)))}"
        family = list(FAMILIES)[
            int(np.searchsorted(np.cumsum(list(FAMILIES.values())), rng.random(), "right")) % 6
        ]
        if family == "photo":
            return f"photo/{pick(rng, TRAINING_PHOTOGRAPHS).partition('.')[0]}"
        return pick(rng, self._members[family])

    def draw(self, rng: np.random.Generator, category: str, size: int) -> Base:
        """Return a base of the category, ``size`` pixels square."""
        family, _, name = category.partition("/")
        if family == "folder":
            return crop(rng, self._photograph(self._images[int(name)]), size)
        if family == "photo":
            return crop(rng, self._photograph(_shipped(name)), size)
        base = self._draws[category](rng, size)
        foreground = base.foreground if base.foreground.mean() > 0.005 else np.ones_like(base.foreground)
        return Base(np.clip(base.picture, 0, 1).astype(np.float32), foreground)

    def _photograph(self, path: Path) -> Image.Image:
        if path not in self._decoded:
            if len(self._decoded) >= 32:
                self._decoded.pop(next(iter(self._decoded)))
            self._decoded[path] = read_base_image(path)
        return self._decoded[path]


def _shipped(stem: str) -> Path:
    """Return where scikit-image keeps a photograph of its wheel."""
    import skimage.data

    names = {name.partition(".")[0]: name for name in TRAINING_PHOTOGRAPHS}
    return Path(str(skimage.data.data_dir)) / names[stem]
