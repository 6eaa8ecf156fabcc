"""What phantoms of scanners share: organs, bands, burnt-in letters, a scanner's faults."""

from __future__ import annotations

import numpy as np

from zerosight.synthesis.surfaces import shapes
from zerosight.synthesis.surfaces.fields import (
    Picture,
    Plane,
    noise,
    over,
    smooth,
)
from zerosight.synthesis.surfaces.shapes import pick


def grey(level: Plane) -> Picture:
    """Return the level as a grey picture."""
    return np.repeat(np.clip(level, 0, 1)[..., None], 3, axis=2)


def labelled(rng: np.random.Generator, picture: Picture, chance: float) -> Picture:
    """Return the picture with the letters and marks that viewers burn into corners."""
    size = picture.shape[0]
    if rng.random() > chance:
        return picture
    for _ in range(int(rng.integers(1, 4))):
        left, top = (pick(rng, (0.02, 0.85)) * size for _ in range(2))
        picture = over(
            picture, shapes.lettering(rng, size, left, top, rng.uniform(0.03, 0.06) * size), (0.9, 0.9, 0.9)
        )
    return picture


def mixed(
    rng: np.random.Generator, size: int, scale: float, octaves: int = 1, likeness: float = 0.5
) -> Plane:
    """Return noise that is mirrored left to right up to ``likeness`` in [0, 1]."""
    field = noise(rng, size, scale, octaves)
    mirrored = (field + field[:, ::-1]) * np.float32(0.7)
    return likeness * mirrored + (1 - likeness) * noise(rng, size, scale, octaves)


def organ(rng: np.random.Generator, x: Plane, y: Plane, radius: float) -> Plane:
    """Return the distance to a rounded outline of about the given radius."""
    waves = [(k, rng.normal(0, 0.2 / k), rng.uniform(0, 6.28)) for k in range(2, 6)]
    return shapes.lobed(x, y * rng.uniform(0.8, 1.6), radius, waves)


def band(radius: Plane, inner: float, outer: float, softness: float = 0.012) -> Plane:
    """Return opacity 1 where the radius lies between two values."""
    return (np.clip((radius - inner) / softness, 0, 1) * np.clip((outer - radius) / softness, 0, 1)).astype(
        np.float32
    )


def scanned(rng: np.random.Generator, level: Plane) -> Plane:
    """Return the level with a scanner's slow change of gain, blur and noise."""
    size = level.shape[0]
    level = level * (1 + rng.uniform(0, 0.15) * noise(rng, size, size * 0.8, 1))
    level = smooth(level, rng.uniform(0.3, 1.4) * size / 320)
    return np.abs(level + rng.uniform(0, 0.025) * noise(rng, size, rng.uniform(1, 2.5), 1))
