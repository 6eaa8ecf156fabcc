"""Procedural textures of machined, rolled and coated surfaces; each draws one random picture in [0, 1]."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

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
from zerosight.synthesis.surfaces.textures_natural import Colour, colour, tinted


def metal_colour(rng: np.random.Generator) -> Colour:
    """Return the colour of a metal, mostly grey."""
    if rng.random() < 0.75:
        return colour(rng, saturation=(0, 0.08), value=(0.2, 0.85))
    return colour(rng, (0.03, 0.14), (0.1, 0.6), (0.3, 0.85))


def _graded(level: Plane, base: Colour) -> Picture:
    """Return the level, 0.5 being the base colour, from nearly black to nearly white."""
    return coloured(np.clip(level, 0, 1), (tinted(base, 0.15), base, tinted(base, 1.9)))


def streaks(rng: np.random.Generator, size: int, width: float) -> Plane:
    """Return vertical streaks about ``width`` pixels wide, of many lengths, with mean 0."""
    lines = noise(rng, size, width, 2, (size, 1)) + 0.7 * noise(
        rng, size, width, 1, (rng.uniform(10, 60), 0.7)
    )
    return lines * 0.8


def brushed(rng: np.random.Generator, size: int) -> Picture:
    """Draw brushed or ground metal."""
    level = 0.5 + rng.uniform(0.03, 0.14) * streaks(rng, size, rng.uniform(1, 4))
    level += rng.uniform(0.01, 0.08) * noise(rng, size, size, 2)
    return _graded(level, metal_colour(rng))


def ground_tile(rng: np.random.Generator, size: int) -> Picture:
    """Draw a grey ground block: fine vertical streaks, glints, uneven light and sometimes its dark border."""
    x, y = coordinates(size)
    level = 0.5 + rng.uniform(0.03, 0.1) * streaks(rng, size, rng.uniform(1, 5))
    level += rng.uniform(0.02, 0.12) * noise(rng, size, size * rng.uniform(0.4, 1), 3)
    level += rng.uniform(0.02, 0.07) * noise(rng, size, 1.3, 1)
    glints = np.clip(noise(rng, size, 2.5, 1, (rng.uniform(2, 12), 0.6)) - rng.uniform(1.3, 2.6), 0, 1)
    level += rng.uniform(0, 0.5) * glints * (noise(rng, size, size / 3, 2) > rng.uniform(-0.5, 1.5))
    hairline = np.abs(noise(rng, size, size / rng.uniform(1, 4), 2) + rng.uniform(-1, 1))
    level -= rng.uniform(-0.06, 0.1) * np.clip(0.02 - hairline, 0, 1) * 50
    pits = np.clip(noise(rng, size, rng.uniform(2, 5), 1) - rng.uniform(2.2, 3.2), 0, 1)
    level -= rng.uniform(0, 0.4) * pits
    picture = _graded(level, colour(rng, saturation=(0, 0.03), value=(0.2, 0.7)))
    if rng.random() < 0.5:
        side = rng.choice([-1, 1])
        edge = rng.uniform(0.8, 0.98) + 0.006 * noise(rng, size, 20, 2)
        beyond = np.clip((x * side - edge) * size / 4, 0, 1)
        picture = over(picture, beyond, tinted((0.2, 0.2, 0.2), rng.uniform(0.1, 2.5)))
        bevel = np.exp(-(((x * side - edge + 0.03) / 0.02) ** 2))
        picture = picture * (1 + rng.uniform(-0.4, 0.8) * bevel)[..., None]
    if rng.random() < 0.3:
        edge = rng.uniform(0.85, 0.98) + rng.uniform(0, 0.1) * x**2
        picture = over(
            picture, np.clip((y * rng.choice([-1, 1]) - edge) * size / 4, 0, 1), (0.05, 0.05, 0.05)
        )
    return picture


def rolled(rng: np.random.Generator, size: int) -> Picture:
    """Draw hot-rolled strip: low contrast, grainy or silky, with bands along the rolling direction."""
    level = 0.5 + rng.uniform(0, 0.12) * noise(
        rng, size, size * rng.uniform(0.15, 0.8), 3, (rng.uniform(1, 6), 1)
    )
    level += rng.uniform(0.0, 0.03) * streaks(rng, size, rng.uniform(3, 20))
    grain = rng.uniform(0.01, 0.04) if rng.random() < 0.6 else rng.uniform(0.06, 0.2)
    level += grain * noise(rng, size, rng.uniform(1, 3), 2)
    level += rng.uniform(0, 0.05) * spectral(rng, size, 1.0)
    return _graded(level, colour(rng, saturation=(0, 0.05), value=(0.2, 0.8)))


def turned(rng: np.random.Generator, size: int) -> Picture:
    """Draw a turned or milled face: tool marks along arcs with the glossy fan of anisotropic metal."""
    x, y = coordinates(size)
    cx, cy = rng.uniform(-2, 2), rng.uniform(-2, 2)
    radius = np.hypot(x - cx, y - cy)
    line = ndimage.gaussian_filter1d(rng.standard_normal(2048, dtype=np.float32), rng.uniform(0.8, 2.5))
    line = line / line.std()
    marks = line[np.clip(radius * 500, 0, 2047).astype(np.int32)]
    fan = np.cos(rng.integers(1, 3) * np.arctan2(y - cy, x - cx) + rng.uniform(0, 6.28))
    level = 0.5 + rng.uniform(0.03, 0.12) * marks + rng.uniform(0, 0.25) * fan + 0.02 * noise(rng, size, 2, 1)
    return _graded(level.astype(np.float32), metal_colour(rng))


def hammered(rng: np.random.Generator, size: int) -> Picture:
    """Draw orange peel, hammer paint, embossed sheet or moulded plastic grain."""
    scale = rng.uniform(3, 24)
    height = (
        noise(rng, size, scale, 1)
        if rng.random() < 0.5
        else cells(rng, size, scale, rng.uniform(0.2, 1)).centre
    )
    shade = relief(height * scale * 0.3, rng.uniform(0, 6.28), rng.uniform(0.3, 1.5))
    base = metal_colour(rng) if rng.random() < 0.5 else colour(rng, saturation=(0, 0.8))
    return _graded(0.5 + rng.uniform(0.05, 0.3) * shade + 0.02 * noise(rng, size, size, 1), base)


def solar(rng: np.random.Generator, size: int) -> Picture:
    """Draw a solar cell: crystal domains, fingers and bus bars."""
    crystal = cells(rng, size, rng.uniform(12, 60), 1.0, rng.uniform(0, 0.3))
    level = 0.5 + rng.uniform(0, 0.15) * (crystal.tone - 0.5) + 0.03 * noise(rng, size, size / 2, 2)
    level += 0.02 * noise(rng, size, 1.5, 1)
    x, y = coordinates(size)
    fingers = np.cos(y * math.pi * rng.integers(20, 70)) > 0.8
    bars = np.abs(np.mod(x * rng.integers(1, 4) + rng.uniform(0, 2), 1) - 0.5) < 0.02
    base = colour(rng, (0.55, 0.7), (0, 0.6), (0.25, 0.7))
    picture = _graded(level, base)
    picture = over(picture, rng.uniform(0.05, 0.3) * fingers.astype(np.float32), (0.75, 0.75, 0.75))
    return over(
        picture, rng.uniform(0.4, 0.9) * bars.astype(np.float32), tinted((0.8, 0.8, 0.8), rng.uniform(0.3, 1))
    )


def coated(rng: np.random.Generator, size: int) -> Picture:
    """Draw painted or anodised sheet with a soft reflection."""
    x, y = coordinates(size, rng.uniform(0, 6.28))
    base = colour(rng, saturation=(0, 0.9), value=(0.1, 0.95))
    level = 0.5 + rng.uniform(0.002, 0.03) * noise(rng, size, rng.uniform(1.5, 6), 2)
    band = np.exp(-(((x + 0.1 * y**2 - rng.uniform(-0.8, 0.8)) / rng.uniform(0.1, 0.8)) ** 2))
    return _graded(level + rng.uniform(0, 0.35) * band, base)


def rusty(rng: np.random.Generator, size: int) -> Picture:
    """Draw worn metal, patinated all over, so that patches are normal."""
    base = over(brushed(rng, size), np.full((size, size), 0.5, np.float32), metal_colour(rng))
    patches = np.clip(
        spectral(rng, size, rng.uniform(1, 1.5)) * rng.uniform(0.5, 2) + rng.uniform(-0.5, 0.8), 0, 1
    )
    return over(base, patches * rng.uniform(0.2, 0.9), colour(rng, (0.02, 0.1), (0.2, 0.8), (0.1, 0.5)))


def wafer(rng: np.random.Generator, size: int) -> Picture:
    """Draw a dense regular die or chip layout."""
    period = int(rng.integers(16, 90))
    motif = np.zeros((period, period), dtype=np.float32)
    for _ in range(int(rng.integers(3, 12))):
        top, left = rng.integers(0, period, 2)
        height, width = rng.integers(2, max(3, period // 2), 2)
        motif[top : top + height, left : left + width] = rng.uniform(0, 1)
    repeats = -(-size // period) + 1
    top, left = rng.integers(0, period, 2)
    level = np.tile(motif, (repeats, repeats))[top : top + size, left : left + size]
    palette = [colour(rng, saturation=(0, 0.6), value=(0.1, 0.9)) for _ in range(3)]
    return coloured(np.clip(smooth(level, 0.6), 0, 1), palette) + 0.02 * noise(rng, size, 2, 1)[..., None]
