"""Phantoms of coloured tissue: skin, mucosa, stained sections; each function draws one random base."""

from __future__ import annotations

import math

import numpy as np

from zerosight.synthesis.surfaces.fields import (
    Picture,
    Plane,
    cells,
    coloured,
    coordinates,
    noise,
    over,
    relief,
    smooth,
    spectral,
)
from zerosight.synthesis.surfaces.materials import Base
from zerosight.synthesis.surfaces.textures_natural import colour, tinted


def _everywhere(picture: Picture) -> Base:
    """Return the picture as a base on which a defect may lie anywhere."""
    return Base(picture, np.ones(picture.shape[:2], dtype=bool))


def hairs(rng: np.random.Generator, size: int, count: int) -> Plane:
    """Return the opacity of thin curved hairs."""
    x, y = coordinates(size)
    total = np.zeros_like(x)
    for _ in range(count):
        angle = rng.uniform(0, 2 * math.pi)
        u = math.cos(angle) * x + math.sin(angle) * y - rng.uniform(-0.9, 0.9)
        v = math.cos(angle) * y - math.sin(angle) * x - rng.uniform(-0.8, 0.8)
        bent = u - rng.uniform(-0.6, 0.6) * v**2
        hair = np.clip(1.2 - np.abs(bent) * size / rng.uniform(1.5, 4), 0, 1) * (
            np.abs(v) < rng.uniform(0.2, 1)
        )
        total = np.maximum(total, hair)
    return total.astype(np.float32)


def skin(rng: np.random.Generator, size: int) -> Base:
    """Draw skin under a dermatoscope or camera: fine lines, blotches, freckles, hairs, a dark rim."""
    x, y = coordinates(size)
    base = colour(rng, (0.01, 0.09), (0.15, 0.55), (0.5, 0.95))
    level = 0.5 + rng.uniform(0.01, 0.06) * noise(rng, size, size / 2, 3)
    pores = cells(rng, size, rng.uniform(5, 12), 1.0, 0.2)
    level -= rng.uniform(0, 0.06) * np.clip(1 - pores.edge * 5, 0, 1)
    level += 0.015 * noise(rng, size, 2, 1)
    picture = coloured(np.clip(level, 0, 1), (tinted(base, 0.2), base, tinted(base, 1.7)))
    blotch = np.clip(spectral(rng, size, 1.3) * 0.3, 0, 0.4)
    picture = over(picture, blotch * rng.uniform(0, 1), (base[0], base[1] * 0.7, base[2] * 0.7))
    freckles = np.clip(noise(rng, size, rng.uniform(4, 9), 1) - rng.uniform(1.8, 3), 0, 0.5)
    picture = over(picture, freckles * rng.uniform(0, 1), tinted(base, 0.5))
    if rng.random() < 0.45:
        strength = rng.uniform(0.3, 0.9)
        picture = over(
            picture,
            strength * hairs(rng, size, int(rng.integers(2, 18))),
            tinted(base, rng.uniform(0.1, 0.5)),
        )
    if rng.random() < 0.35:
        rim = np.clip((np.hypot(x, y) - rng.uniform(0.9, 1.25)) * rng.uniform(3, 20), 0, 1)
        picture = picture * (1 - rng.uniform(0.5, 1) * rim)[..., None]
    return _everywhere(picture)


def mucosa(rng: np.random.Generator, size: int) -> Base:
    """Draw an endoscopic view: pink folds towards a dark lumen, vessels, wet highlights, a black frame."""
    x, y = coordinates(size)
    cx, cy = rng.uniform(-0.9, 0.9), rng.uniform(-0.9, 0.9)
    u, v = x - cx, y - cy
    distance = np.hypot(u, v) + 0.12 * noise(rng, size, size / 3, 2)
    base = colour(rng, (-0.02, 0.07), (0.35, 0.75), (0.5, 0.9))
    folds = np.sin(
        np.log(np.maximum(distance, 0.05)) * rng.uniform(3, 9) + 0.5 * noise(rng, size, size / 3, 2)
    )
    height = rng.uniform(0.5, 4) * folds + 2 * noise(rng, size, size / 3, 2) + 0.15 * noise(rng, size, 9, 2)
    shade = relief(smooth(height.astype(np.float32), 1.5), rng.uniform(0, 6.28), rng.uniform(1, 4))
    level = 0.5 + 0.16 * shade + 0.03 * noise(rng, size, size / 4, 3)
    level *= np.clip(distance * rng.uniform(1, 4) + rng.uniform(0, 0.7), 0.1, 1)
    picture = coloured(np.clip(level, 0, 1).astype(np.float32), (tinted(base, 0.08), base, tinted(base, 1.5)))
    vessels = (
        np.clip(rng.uniform(0.05, 0.12) - np.abs(noise(rng, size, size / rng.uniform(4, 9), 3)), 0, 1) * 10
    )
    picture = over(
        picture, np.clip(vessels, 0, 1) * rng.uniform(0, 0.5), (base[0] * 0.75, base[1] * 0.4, base[2] * 0.4)
    )
    wet = (
        np.clip(shade * rng.uniform(0.5, 1.2) + 0.3 * noise(rng, size, 12, 2) - rng.uniform(0.8, 1.4), 0, 1)
        * 5
    )
    picture = over(picture, smooth(np.clip(wet, 0, 1), 0.8) * rng.uniform(0, 1), (1.0, 0.97, 0.95))
    foreground = np.ones((size, size), dtype=bool)
    if rng.random() < 0.6:
        corner = rng.uniform(0.85, 1.3)
        inside = np.clip(
            (corner - np.maximum(np.hypot(x, y) * 0.8, np.maximum(np.abs(x), np.abs(y)) * 1.02)) * size / 4,
            0,
            1,
        )
        picture = picture * inside[..., None].astype(np.float32)
        foreground = inside > 0.9
    return Base(picture, foreground)


def section(rng: np.random.Generator, size: int) -> Base:
    """Draw a stained section: nuclei scattered in fibrous ground."""
    base = colour(rng, (0.75, 0.95), (0.1, 0.5), (0.7, 0.98))
    ground = 0.5 + 0.15 * spectral(rng, size, rng.uniform(0.8, 1.4)) + 0.05 * noise(rng, size, 6, 1, (1, 3))
    picture = coloured(np.clip(ground, 0, 1), (tinted(base, 0.7), base, tinted(base, 1.25)))
    spots = cells(rng, size, rng.uniform(8, 24), 1.0, 0.15)
    dense = noise(rng, size, size / 3, 2) * 0.3 + rng.uniform(0.3, 0.9)
    nucleus = np.clip((rng.uniform(0.25, 0.4) - spots.centre) * 8, 0, 1) * (spots.tone < dense)
    stain = colour(rng, (0.6, 0.8), (0.3, 0.8), (0.25, 0.6))
    return _everywhere(over(picture, nucleus.astype(np.float32) * rng.uniform(0.5, 0.95), stain))


def culture(rng: np.random.Generator, size: int) -> Base:
    """Draw cells, fibres or bubbles under a microscope, grey or on black."""
    spots = cells(rng, size, rng.uniform(14, 50), rng.uniform(0.5, 1), 0.2)
    body = np.clip((rng.uniform(0.3, 0.55) - spots.centre) * 8, 0, 1) * (spots.tone < rng.uniform(0.4, 1))
    rim = np.clip(1 - np.abs(spots.centre - 0.4) * 12, 0, 1)
    level = rng.uniform(0.05, 0.6) + rng.uniform(-0.2, 0.4) * body + rng.uniform(-0.2, 0.3) * rim
    level += 0.02 * noise(rng, size, 2, 2) + 0.04 * noise(rng, size, size / 2, 2)
    base = colour(rng, saturation=(0, 0.5), value=(0.5, 1))
    return _everywhere(coloured(np.clip(level, 0, 1), ((0, 0, 0), base, (1, 1, 1))))
