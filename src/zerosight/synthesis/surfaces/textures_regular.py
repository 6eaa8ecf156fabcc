"""Procedural textures that repeat: cloth, meshes, tiles, prints; each draws one random picture in [0, 1]."""

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
)
from zerosight.synthesis.surfaces.textures_natural import colour, tinted

TAU = 2 * math.pi


def _frame(rng: np.random.Generator, size: int, period: float, wobble: float) -> tuple[Plane, Plane]:
    """Return lattice coordinates, one unit a period, slightly bent as real material is."""
    x, y = coordinates(size, rng.uniform(-0.05, 0.05))
    gain = size / 2 / period
    u = x * gain + wobble * noise(rng, size, size / 3, 2) + rng.random()
    v = y * gain + wobble * noise(rng, size, size / 3, 2) + rng.random()
    return u, v


def woven(rng: np.random.Generator, size: int) -> Picture:
    """Draw plain, twill or basket weave of two yarns."""
    u, v = _frame(rng, size, rng.uniform(4, 18), rng.uniform(0, 0.15))
    column, row = np.floor(u), np.floor(v)
    step = int(rng.integers(2, 5))
    warp_up = (
        np.mod(column + row, step) < step / 2 if rng.random() < 0.7 else np.mod(column // 2 + row // 2, 2) < 1
    )
    profile = np.where(warp_up, np.sin(math.pi * np.mod(u, 1)), np.sin(math.pi * np.mod(v, 1))).astype(
        np.float32
    )
    yarn = noise(rng, size, 3, 1, (4, 0.7)) * warp_up + noise(rng, size, 3, 1, (0.7, 4)) * ~warp_up
    level = 0.2 + 0.6 * profile + rng.uniform(0.02, 0.1) * yarn
    base = colour(rng, saturation=(0, 0.6), value=(0.3, 0.95))
    other = tinted(base, rng.uniform(0.6, 1.2), rng) if rng.random() < 0.7 else colour(rng)
    first = coloured(np.clip(level, 0, 1), (tinted(base, 0.25), base))
    second = coloured(np.clip(level, 0, 1), (tinted(other, 0.25), other))
    return over(first, warp_up.astype(np.float32), second)


def knit(rng: np.random.Generator, size: int) -> Picture:
    """Draw a knitted surface: columns of V-shaped loops."""
    u, v = _frame(rng, size, rng.uniform(8, 26), rng.uniform(0, 0.2))
    side = np.abs(np.mod(u, 1) - 0.5)
    loop = np.sin(TAU * (v + side * rng.uniform(0.8, 1.6))) * 0.5 + 0.5
    level = 0.2 + 0.6 * loop * np.sin(math.pi * np.mod(u, 1)) ** 0.5 + 0.06 * noise(rng, size, 3, 1)
    base = colour(rng, saturation=(0, 0.7))
    return coloured(np.clip(level, 0, 1), (tinted(base, 0.3), base, tinted(base, 1.4)))


def mesh(rng: np.random.Generator, size: int) -> Picture:
    """Draw a wire grid over a plain ground."""
    u, v = _frame(rng, size, rng.uniform(10, 45), rng.uniform(0, 0.05))
    if rng.random() < 0.5:
        u, v = u + v, u - v
    width = rng.uniform(0.06, 0.2)
    across = np.abs(np.mod(u, 1) - 0.5) / width
    down = np.abs(np.mod(v, 1) - 0.5) / width
    wire = np.sqrt(np.clip(1 - np.minimum(across, down) ** 2, 0, 1)).astype(np.float32)
    ground = tinted(colour(rng, saturation=(0, 0.3)), 1.0)
    metal = colour(rng, saturation=(0, 0.3), value=(0.2, 0.95))
    below = coloured(np.clip(0.5 + 0.1 * noise(rng, size, size / 2, 3), 0, 1), (tinted(ground, 0.5), ground))
    lit = coloured(wire, (tinted(metal, 0.4), metal)) + 0.03 * noise(rng, size, 2, 1)[..., None]
    return over(below, np.clip(wire * 3, 0, 1), lit)


def perforated(rng: np.random.Generator, size: int) -> Picture:
    """Draw a sheet with a regular pattern of holes, studs or printed dots, which are normal."""
    u, v = _frame(rng, size, rng.uniform(10, 60), rng.uniform(0, 0.03))
    if rng.random() < 0.5:
        u = u + 0.5 * np.mod(np.floor(v), 2)
    radius = np.hypot(np.mod(u, 1) - 0.5, np.mod(v, 1) - 0.5)
    reach = rng.uniform(0.12, 0.42)
    dot = np.clip((reach - radius) * rng.uniform(10, 30), 0, 1).astype(np.float32)
    base = colour(rng, saturation=(0, 0.5))
    level = 0.6 + rng.uniform(0.01, 0.05) * noise(rng, size, rng.uniform(2, 20), 2, (rng.uniform(1, 8), 1))
    sheet = coloured(np.clip(level, 0, 1), (tinted(base, 0.2), base, tinted(base, 1.4)))
    sheet = sheet * (1 + rng.uniform(0, 0.4) * relief(smooth(dot, 1), rng.uniform(0, TAU), 3))[..., None]
    return over(sheet, dot * rng.uniform(0.3, 1), colour(rng, saturation=(0, 0.5), value=(0.02, 1)))


def bricks(rng: np.random.Generator, size: int) -> Picture:
    """Draw bricks, tiles or mosaic with joints."""
    u, v = _frame(rng, size, rng.uniform(20, 90), rng.uniform(0, 0.02))
    u = u / rng.choice([1.0, 1.0, 2.0, 2.5])
    u = u + rng.choice([0.0, 0.5, 0.33]) * np.floor(v)
    inside = np.minimum(0.5 - np.abs(np.mod(u, 1) - 0.5), 0.5 - np.abs(np.mod(v, 1) - 0.5))
    joint = np.clip((rng.uniform(0.02, 0.08) - inside) * 30, 0, 1).astype(np.float32)
    tone = np.mod(np.sin(np.floor(u) * 12.99 + np.floor(v) * 78.23) * 43758.5, 1).astype(np.float32)
    base = colour(rng, saturation=(0, 0.6))
    spread = rng.uniform(0, 0.3)
    face = coloured(tone, [tinted(base, 1 + spread * rng.uniform(-1, 1), rng, spread / 6) for _ in range(4)])
    face = face + rng.uniform(0.01, 0.08) * noise(rng, size, rng.uniform(3, 40), 3)[..., None]
    return over(face, joint, colour(rng, saturation=(0, 0.2))) + 0.02 * noise(rng, size, 2, 1)[..., None]


def stripes(rng: np.random.Generator, size: int) -> Picture:
    """Draw corrugated sheet, ribs, corduroy or printed stripes."""
    u, _ = _frame(rng, size, rng.uniform(6, 60), rng.uniform(0, 0.1))
    wave = np.sin(TAU * u)
    if rng.random() < 0.5:
        wave = np.clip(wave * rng.uniform(2, 8), -1, 1)
    level = 0.5 + rng.uniform(0.1, 0.45) * wave + 0.04 * noise(rng, size, 3, 2)
    base = colour(rng, saturation=(0, 0.7))
    return coloured(np.clip(level, 0, 1).astype(np.float32), (tinted(base, 0.4), tinted(base, 1.3, rng, 0.1)))


def honeycomb(rng: np.random.Generator, size: int) -> Picture:
    """Draw near-regular cells: honeycomb, scales, foam board, cobbles."""
    comb = cells(rng, size, rng.uniform(10, 50), rng.uniform(0.05, 0.5))
    wall = np.clip(1 - comb.edge * rng.uniform(3, 10), 0, 1)
    base, line = colour(rng, saturation=(0, 0.6)), colour(rng, saturation=(0, 0.5))
    depth = rng.uniform(0, 0.5)
    level = np.clip(0.5 + depth * (comb.centre - 0.4) + 0.1 * (comb.tone - 0.5), 0, 1)
    face = coloured(level, (tinted(base, 0.5), base, tinted(base, 1.3)))
    return over(face, wall, line) + 0.02 * noise(rng, size, 2, 2)[..., None]


def print_pattern(rng: np.random.Generator, size: int) -> Picture:
    """Draw a random motif printed in rows: wallpaper, packaging, chequers."""
    period = int(rng.integers(24, 100))
    x, y = coordinates(period)
    motif = np.zeros((period, period), dtype=np.float32)
    for _ in range(int(rng.integers(1, 4))):
        angle, petals = rng.uniform(0, TAU), int(rng.integers(2, 7))
        radius = np.hypot(x - rng.uniform(-0.4, 0.4), y - rng.uniform(-0.4, 0.4))
        outline = rng.uniform(0.2, 0.5) * (
            1 + rng.uniform(0, 0.5) * np.cos(petals * np.arctan2(y, x) + angle)
        )
        motif = np.maximum(motif, np.clip((outline - radius) * period / 4, 0, 1) * rng.uniform(0.4, 1))
    repeats = -(-size // period) + 1
    top, left = rng.integers(0, period, 2)
    level = np.tile(motif, (repeats, repeats))[top : top + size, left : left + size].astype(np.float32)
    base = colour(rng, saturation=(0, 0.5))
    cloth = coloured(
        np.clip(0.5 + 0.05 * noise(rng, size, 3, 2), 0, 1), (tinted(base, 0.6), tinted(base, 1.3))
    )
    return over(cloth, level, colour(rng))
