"""One sample: planned from the seed and its number alone, then drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8
from pydantic import Field

from zerosight.config import Config
from zerosight.synthesis.surfaces.bases import BaseSource, scan_folders
from zerosight.synthesis.surfaces.camera import Look, develop, draw_look, expose
from zerosight.synthesis.surfaces.defects import damage, struck
from zerosight.synthesis.surfaces.fields import Picture
from zerosight.synthesis.surfaces.masks import Mask, activity, changed, luma, visible_mask
from zerosight.synthesis.surfaces.materials import Base

_BASE, _DEFECT, _CAMERA, _PLAN = range(4)  # streams of chance, so that none disturbs another
_TRIES = 10


class SynthesisConfig(Config):
    """What is synthesized.

    Attributes:
        count: Number of images.
        size: Height and width in pixels.
        seed: Start of all chance.
        base_folders: Folders whose photographs or textures serve as bases too, with their subfolders.
        folder_fraction: Share of images whose base is from those folders.
        anomalous_fraction: Share of images with defects.
        twin_fraction: Share of pairs in which both images have one base, so that only the defect differs
            where one of them is anomalous.
        val_fraction: Share of bases in the split ``val``.
        max_defects: Most defects an image.
        workers: Processes; 0 takes one per core.
    """

    count: int = Field(default=4000, ge=1, le=10_000_000)
    size: int = Field(default=320, ge=64, le=2048)
    seed: int = Field(default=0, ge=0)
    base_folders: tuple[Path, ...] = ()
    folder_fraction: float = Field(default=0.3, ge=0, le=1)
    anomalous_fraction: float = Field(default=0.5, ge=0, le=1)
    twin_fraction: float = Field(default=0.5, ge=0, le=1)
    val_fraction: float = Field(default=0.1, ge=0, le=1)
    max_defects: int = Field(default=4, ge=1, le=16)
    workers: int = Field(default=0, ge=0, le=1024)


@dataclass(frozen=True, slots=True)
class SurfacePlan:
    """What a sample will be, known before it is drawn.

    Attributes:
        index: Number of the sample.
        base: Number of the sample whose base it has; its own, or that of its twin.
        category: Kind of base, such as ``texture/wood``.
        anomalous: Whether it gets a defect.
        split: ``train`` or ``val``; twins share it.
    """

    index: int
    base: int
    category: str
    anomalous: bool
    split: str


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceSample:
    """One synthesized image.

    Attributes:
        image: Red, green, blue.
        mask: Where defects are seen; nowhere on a clean image.
        plan: What it is.
        defects: Names of its defects, such as ``scratch/solid``.
    """

    image: UInt8[np.ndarray, "height width 3"]
    mask: Bool[np.ndarray, "height width"]
    plan: SurfacePlan
    defects: tuple[str, ...]


@runtime_checkable
class Source(Protocol):
    """Where the bases of samples come from."""

    def choose(self, rng: np.random.Generator) -> str:
        """Return a category."""
        ...

    def draw(self, rng: np.random.Generator, category: str, size: int) -> Base:
        """Return a base of a category, ``size`` pixels square."""
        ...


class Sampler:
    """Draws the samples of a configuration, in any order.

    Args:
        config: What is synthesized.
        images: Readable images of the configuration's folders, as :func:`bases.scan_folders` finds them.
        source: Where bases come from; None takes all procedures and these images.
        camera: Draws how a scene is taken, from its size in pixels and the family of its base.
    """

    def __init__(
        self,
        config: SynthesisConfig,
        images: tuple[Path, ...] = (),
        source: Source | None = None,
        camera: Callable[[np.random.Generator, int, str], Look] = draw_look,
    ) -> None:
        self._camera = camera
        self.config = config
        self._source: Source = source or BaseSource(images, config.folder_fraction)

    def _rng(self, stream: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, stream, number])

    def plan(self, index: int) -> SurfacePlan:
        """Return what sample ``index`` will be; cheap."""
        config = self.config
        share = config.anomalous_fraction
        twin = self._rng(_PLAN, index // 2).random() < config.twin_fraction
        base = index - index % 2 if twin else index
        rng = self._rng(_PLAN, base + 1_000_000_007)
        return SurfacePlan(
            index=index,
            base=base,
            category=self._source.choose(rng),
            anomalous=int((index + 1) * share + 1e-9) > int(index * share + 1e-9),
            split="val" if rng.random() < config.val_fraction else "train",
        )

    def draw(self, index: int) -> SurfaceSample:
        """Return sample ``index``."""
        plan, size = self.plan(index), self.config.size
        family = plan.category.partition("/")[0]
        rng = self._rng(_BASE, plan.base)
        base = self._source.draw(rng, plan.category, size)
        look = self._camera(rng, size, family)
        middle = float(luma(base.picture).mean())
        clean = develop(base.picture, look, middle)
        mask = np.zeros((size, size), dtype=bool)
        names: tuple[str, ...] = ()
        if plan.anomalous:
            clean, mask, names = self._damaged(plan, base, look, clean)
        return SurfaceSample(expose(self._rng(_CAMERA, index), clean, look), mask, plan, names)

    def _damaged(
        self, plan: SurfacePlan, base: Base, look: Look, clean: Picture
    ) -> tuple[Picture, Mask, tuple[str, ...]]:
        """Return the picture with defects that are seen, where they are, and their names."""
        rng = self._rng(_DEFECT, plan.index)
        family = plan.category.partition("/")[0]
        middle = float(luma(base.picture).mean())
        hidden_by = activity(clean, look.grain)
        wanted = min(1 + int(rng.geometric(0.6)) - 1, self.config.max_defects)
        picture, mask = clean, np.zeros(clean.shape[:2], dtype=bool)
        names: list[str] = []
        tries = 0
        while len(names) < wanted and (tries < _TRIES or not names):
            tries += 1
            hit, alpha, name = damage(rng, base, family) if tries <= _TRIES else struck(rng, base)
            after = develop(hit.picture, look, middle)
            seen = visible_mask(changed(picture, after, hidden_by), alpha)
            if seen.any():
                base, picture, mask = hit, after, mask | seen
                names.append(name)
        return picture, mask, tuple(names)


def make_sample(config: SynthesisConfig, index: int) -> SurfaceSample:
    """Return sample ``index`` of a configuration; it depends on nothing else.

    Args:
        config: What is synthesized.
        index: Number of the sample, from 0.

    Raises:
        DataError: A folder of base images is missing or holds none.

    >>> make_sample(SynthesisConfig(size=64), 1).image.shape
    (64, 64, 3)
    """
    return Sampler(config, scan_folders(config.base_folders).images).draw(index)
