"""Procedural textures of grown and mineral materials; each function draws one random picture in [0, 1]."""

from __future__ import annotations

import colorsys
import math

import numpy as np

from zerosight.synthesis.surfaces.fields import (
    Picture,
    Range,
    Real,
    cells,
    coloured,
    coordinates,
    noise,
    over,
    relief,
    smooth,
    spectral,
    unit,
    warped,
)

Colour = tuple[Real, Real, Real]


def colour(
    rng: np.random.Generator,
    hue: Range = (0, 1),
    saturation: Range = (0, 0.6),
    value: Range = (0.15, 0.9),
) -> Colour:
    """Return a random colour of the given ranges, pale ones more often than strong ones."""
    strength = saturation[0] + (saturation[1] - saturation[0]) * rng.random() ** 1.6
    return colorsys.hsv_to_rgb(rng.uniform(*hue) % 1.0, strength, rng.uniform(*value))


def tinted(base: Colour, gain: Real, rng: np.random.Generator | None = None, spread: Real = 0.04) -> Colour:
    """Return the colour made lighter or darker by ``gain``, and shifted a little when ``rng`` is given."""
    shift = rng.normal(0, spread, 3).tolist() if rng else [0.0, 0.0, 0.0]
    r, g, b = (min(1.0, max(0.0, c * gain + s)) for c, s in zip(base, shift, strict=True))
    return r, g, b


def wood(rng: np.random.Generator, size: int) -> Picture:
    """Draw planks' grain with rings, pores and now and then a knot."""
    x, y = coordinates(size)
    wander = noise(rng, size, size / 2, 2, (3, 1))
    push = np.zeros_like(x)
    for _ in range(_few(rng)):
        kx, ky, width = rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8), rng.uniform(0.03, 0.12)
        push += np.exp(-((np.hypot((x - kx) * 1.6, (y - ky) * 0.7) / width) ** 2) / 2)
    arch = rng.uniform(0, 0.5) * y**2 if rng.random() < 0.4 else rng.uniform(-0.1, 0.1) * y
    phase = rng.uniform(2, 12) * (x + arch + 0.08 * wander + 0.25 * push) + rng.random()
    ring = np.mod(phase, 1).astype(np.float32)
    late = ring ** rng.uniform(1.5, 6) * np.clip((1 - ring) * rng.uniform(5, 20), 0, 1)
    fibre = noise(rng, size, rng.uniform(3, 8), 2, (rng.uniform(8, 25), 0.4))
    pores = np.clip(noise(rng, size, 3, 1, (10, 0.4)) - rng.uniform(1.2, 2), 0, 1)
    level = 0.6 - rng.uniform(0.1, 0.5) * late + rng.uniform(0.03, 0.12) * fibre + 0.05 * wander - 0.3 * push
    light = colour(rng, (0.05, 0.11), (0.2, 0.75), (0.45, 0.9))
    dark = tinted(light, rng.uniform(0.3, 0.7), rng)
    return over(coloured(np.clip(level, 0, 1), (dark, light)), 0.5 * pores, tinted(dark, 0.5))


def _few(rng: np.random.Generator) -> int:
    """Return a small number, mostly none."""
    return max(0, int(rng.integers(-2, 3)))


def leather(rng: np.random.Generator, size: int) -> Picture:
    """Draw a hide: rounded grains with folds between them, lit from one side."""
    grain = cells(rng, size, rng.uniform(6, 22), 1.0, rng.uniform(0, 0.25))
    bump = np.sqrt(np.clip(grain.edge, 0, 0.5)) + 0.08 * noise(rng, size, 5, 2)
    shade = relief(bump, rng.uniform(0, 2 * math.pi), rng.uniform(0.8, 2.5))
    valley = np.clip(1 - grain.edge * 5, 0, 1)
    base = colour(rng, (0.02, 0.12), (0.1, 0.7), (0.2, 0.75)) if rng.random() < 0.7 else colour(rng)
    level = (
        0.5 + rng.uniform(0.1, 0.3) * shade - rng.uniform(0.1, 0.3) * valley + 0.05 * noise(rng, size, 60, 2)
    )
    return coloured(np.clip(level, 0, 1), (tinted(base, 0.4), base, tinted(base, 1.5)))


def marble(rng: np.random.Generator, size: int) -> Picture:
    """Draw cloudy stone with veins."""
    field = spectral(rng, size, rng.uniform(1.2, 1.7))
    veins = np.exp(-np.abs(spectral(rng, size, rng.uniform(1.3, 1.8))) * rng.uniform(8, 30))
    base = colour(rng, saturation=(0, 0.25), value=(0.2, 0.95))
    ground = coloured(unit(field), (tinted(base, 0.7, rng), base, tinted(base, 1.15, rng)))
    vein = colour(rng, saturation=(0, 0.3), value=(0.1, 0.95))
    return over(ground, veins * rng.uniform(0.1, 0.8), vein)


def concrete(rng: np.random.Generator, size: int) -> Picture:
    """Draw cast stone: clouds, grit, and small pores."""
    level = 0.5 + 0.05 * noise(rng, size, size / 2, 4) + rng.uniform(0.01, 0.08) * noise(rng, size, 1.5, 1)
    level += 0.03 * noise(rng, size, 8, 2)
    pores = smooth(
        (rng.random((size, size)) < rng.uniform(0, 0.002)).astype(np.float32), rng.uniform(0.6, 1.6)
    )
    level -= rng.uniform(0.5, 2.5) * pores
    base = colour(rng, (0, 0.2), (0, 0.15), (0.3, 0.85))
    return coloured(np.clip(level, 0, 1), (tinted(base, 0.3), base, tinted(base, 1.5)))


def terrazzo(rng: np.random.Generator, size: int) -> Picture:
    """Draw chips of stone set in a ground, or granite."""
    chips = cells(rng, size, rng.uniform(5, 36), 1.0, rng.uniform(0, 0.2))
    ground = colour(rng, saturation=(0, 0.4), value=(0.25, 0.9))
    palette = [tinted(ground, rng.uniform(0.4, 1.6), rng, 0.08) for _ in range(int(rng.integers(2, 6)))]
    shown = np.clip((chips.edge - rng.uniform(0.0, 0.3)) * 8, 0, 1) * (chips.tone < rng.uniform(0.3, 1.0))
    picture = over(np.full((size, size, 3), ground, dtype=np.float32), shown, coloured(chips.tone, palette))
    return picture + 0.03 * noise(rng, size, 2, 1)[..., None]


def felt(rng: np.random.Generator, size: int) -> Picture:
    """Draw carpet or felt: short fibres of several colours in disorder."""
    fibres = noise(rng, size, rng.uniform(2, 5), 1, (3, 0.6)) + noise(
        rng, size, rng.uniform(2, 5), 1, (0.6, 3)
    )
    level = 0.5 + rng.uniform(0.08, 0.22) * fibres + 0.06 * noise(rng, size, rng.uniform(20, 80), 2)
    base = colour(rng, saturation=(0, 0.5))
    picture = coloured(np.clip(level, 0, 1), (tinted(base, 0.35), base, tinted(base, 1.6)))
    flecks = np.clip(noise(rng, size, 3, 1) - rng.uniform(1.2, 2.5), 0, 0.6)
    return over(picture, flecks, colour(rng))


def pebbles(rng: np.random.Generator, size: int) -> Picture:
    """Draw packed grains: gravel, seeds, powder, rice, foam."""
    grain = cells(rng, size, rng.uniform(6, 50), rng.uniform(0.5, 1), rng.uniform(0, 0.15))
    dome = np.sqrt(np.clip(grain.edge * 2, 0, 1))
    shade = relief(smooth(dome, 1.0), rng.uniform(0, 6.28), rng.uniform(2, 6))
    base = colour(rng, saturation=(0, 0.5), value=(0.3, 0.9))
    tone = coloured(grain.tone, [tinted(base, rng.uniform(0.6, 1.3), rng) for _ in range(3)])
    light = 0.25 + 0.75 * dome + 0.2 * shade + 0.04 * noise(rng, size, 3, 2)
    return tone * light[..., None]


def paper(rng: np.random.Generator, size: int) -> Picture:
    """Draw paper, cardboard or a painted wall: almost plain."""
    level = 0.5 + rng.uniform(0.005, 0.05) * noise(rng, size, rng.uniform(2, 30), 3)
    level += rng.uniform(0, 0.03) * noise(rng, size, 3, 1, (1, rng.uniform(1, 20)))
    base = colour(rng, saturation=(0, 0.5), value=(0.2, 0.98))
    return coloured(np.clip(level, 0, 1), (tinted(base, 0.3), base, tinted(base, 1.5)))


def stone(rng: np.random.Generator, size: int) -> Picture:
    """Draw rough, lit rock, stucco, bark or cast metal."""
    height = spectral(rng, size, rng.uniform(1.0, 1.8))
    shade = relief(height, rng.uniform(0, 6.28), rng.uniform(1, 5))
    base = colour(rng, saturation=(0, 0.5), value=(0.25, 0.85))
    clouds = coloured(unit(spectral(rng, size, 1.5)), (tinted(base, 0.75, rng), tinted(base, 1.2, rng)))
    return clouds * (1 + rng.uniform(0.15, 0.5) * shade)[..., None]


def fluid(rng: np.random.Generator, size: int) -> Picture:
    """Draw folded clouds of colour: agate, foil, camouflage, rust, oil."""
    strength = rng.uniform(0.05, 0.25) * size
    scale = size / rng.uniform(1.5, 5)
    field = noise(rng, size, size / rng.uniform(2, 12), 4)
    field = warped(field, strength * noise(rng, size, scale, 2), strength * noise(rng, size, scale, 2))
    if rng.random() < 0.4:
        field = np.sin(field * rng.uniform(2, 8)).astype(np.float32)
    palette = [colour(rng, saturation=(0, 0.7), value=(0.1, 0.95)) for _ in range(int(rng.integers(2, 6)))]
    return coloured(unit(field), palette)


def noisy(rng: np.random.Generator, size: int) -> Picture:
    """Draw a plain noise field of a random colour and roughness."""
    field = spectral(rng, size, rng.uniform(0, 1.8))
    base = colour(rng, saturation=(0, 0.3), value=(0.2, 0.8))
    level = 0.5 + rng.uniform(0.02, 0.18) * field
    return coloured(np.clip(level, 0, 1), (tinted(base, 0.1), base, tinted(base, 1.8)))
