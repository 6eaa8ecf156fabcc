"""Phantoms of radiological and ophthalmic pictures; each function draws one random base.

They copy the look of a kind of picture, not the anatomy of anybody.
"""

from __future__ import annotations

import numpy as np

from zerosight.synthesis.surfaces import shapes
from zerosight.synthesis.surfaces.fields import (
    coloured,
    coordinates,
    noise,
    over,
    smooth,
    spectral,
)
from zerosight.synthesis.surfaces.materials import Base
from zerosight.synthesis.surfaces.scans import band, grey, labelled, organ, scanned
from zerosight.synthesis.surfaces.shapes import cover, pick
from zerosight.synthesis.surfaces.textures_natural import colour, tinted


def trunk(rng: np.random.Generator, size: int) -> Base:
    """Draw a slice through a trunk: fat, muscle, spine, ribs, a large organ with vessels and smaller ones."""
    x, y = coordinates(size, rng.normal(0, 0.04))
    wave = 0.03 * noise(rng, size, size / 3, 2)
    radius = (np.abs(x / rng.uniform(0.8, 0.97)) ** 2.3 + np.abs(y / rng.uniform(0.6, 0.85)) ** 2.3) ** (
        1 / 2.3
    ) + wave
    level = np.full((size, size), 0.01, dtype=np.float32)
    level += band(radius, -1.0, 1.0) * rng.uniform(0.15, 0.4)
    muscle = rng.uniform(0.4, 0.55)
    wall = rng.uniform(0.8, 0.93)
    level += (muscle - level) * band(radius, wall - 0.1, wall)
    inner = radius < wall - 0.1
    level += (rng.uniform(0.1, 0.35) - level) * inner
    for _ in range(int(rng.integers(6, 16))):
        size_of = rng.uniform(0.06, 0.25)
        part = organ(rng, x - rng.uniform(-0.6, 0.6), y - rng.uniform(-0.4, 0.4), size_of) + wave
        level += (rng.uniform(0.3, 0.65) - level) * cover(part.astype(np.float32), 3) * inner
    largest = (
        shapes.ellipse(x + rng.uniform(0.2, 0.4), y + rng.uniform(-0.1, 0.15), 0.45, rng.uniform(0.3, 0.5))
        + 2 * wave
    )
    tissue = rng.uniform(0.45, 0.7) + 0.02 * noise(rng, size, 6, 2)
    vessels = (
        np.clip(0.12 - np.abs(noise(rng, size, size / 7, 1)), 0, 1) * 8 * (noise(rng, size, size / 5, 1) > 0)
    )
    alpha = cover(largest.astype(np.float32), 4) * inner
    level += (tissue + rng.uniform(-0.12, 0.2) * smooth(np.clip(vessels, 0, 1), 1.2) - level) * alpha
    spine = cover(shapes.lobed(x, y - 0.42, 0.12, [(3, 0.25, 1.57), (2, 0.1, 0.0)]), 3)
    level += (rng.uniform(0.8, 1) - level) * spine
    ribs = band(radius, wall - 0.09, wall - 0.04) * (np.sin(np.arctan2(y, x) * rng.integers(8, 14)) > 0.5)
    level += (0.9 - level) * smooth(ribs.astype(np.float32), 1)
    level = scanned(rng, level.astype(np.float32))
    return Base(labelled(rng, grey(level), 0.2), (alpha > 0.6) | (inner & (rng.random() < 0.3)))


def chest(rng: np.random.Generator, size: int) -> Base:
    """Draw a frontal chest radiograph: two lungs, ribs, heart, spine, diaphragm."""
    x, y = coordinates(size, rng.normal(0, 0.04))
    x, y = x * rng.uniform(0.95, 1.2), y * rng.uniform(0.95, 1.15)
    wave = 0.02 * noise(rng, size, size / 4, 2)
    level = rng.uniform(0.55, 0.75) + 0.1 * noise(rng, size, size, 1) - 0.1 * np.abs(x)
    lungs = np.zeros_like(x)
    for side in (-1.0, 1.0):
        lung = (
            shapes.ellipse(x - side * 0.42, y + 0.08, rng.uniform(0.26, 0.33), rng.uniform(0.55, 0.68)) + wave
        )
        lungs = np.maximum(
            lungs, cover(lung.astype(np.float32), size / 16) * np.clip((0.5 - y + wave) * 14, 0, 1)
        )
    level -= rng.uniform(0.3, 0.5) * lungs
    arcs = np.sin((y + 0.35 * np.abs(x) ** 1.7) * rng.uniform(22, 30) + 0.3 * side)
    level += rng.uniform(0.04, 0.1) * np.clip(arcs, 0, 1) * (np.abs(x) < 0.8) * (np.abs(x) > 0.08)
    level += rng.uniform(0.1, 0.2) * np.exp(-((x / 0.09) ** 2))
    heart = (
        shapes.ellipse(x - rng.uniform(0.05, 0.18), y - 0.22, rng.uniform(0.2, 0.33), rng.uniform(0.25, 0.35))
        + wave
    )
    level += rng.uniform(0.15, 0.3) * cover(heart.astype(np.float32), size / 14)
    branches = np.clip(0.2 - np.abs(noise(rng, size, size / 9, 2)), 0, 1) * np.exp(
        -((np.abs(x) - 0.25) ** 2) / 0.02
    )
    level += 0.4 * smooth(branches.astype(np.float32), 1) * lungs
    level *= np.clip((1.25 - np.abs(x)) * 6, 0, 1)
    return Base(labelled(rng, grey(scanned(rng, level.astype(np.float32))), 0.6), lungs > 0.5)


def fundus(rng: np.random.Generator, size: int) -> Base:
    """Draw the back of an eye: disc, branching vessels, macula, dark surround."""
    x, y = coordinates(size)
    radius = np.hypot(x, y) / rng.uniform(0.85, 1.15)
    base = colour(rng, (0.02, 0.09), (0.5, 0.9), (0.4, 0.85))
    level = 0.5 + 0.05 * noise(rng, size, size / 3, 3) - 0.12 * radius**2
    side = pick(rng, (-1.0, 1.0))
    cx, cy = side * rng.uniform(0.35, 0.6), rng.uniform(-0.1, 0.1)
    level -= 0.12 * np.exp(-(((x + cx * 0.3) ** 2 + (y - cy) ** 2) / 0.03))
    picture = coloured(np.clip(level, 0, 1).astype(np.float32), (tinted(base, 0.2), base, tinted(base, 1.8)))
    disc_edge = cover(shapes.ellipse(x - cx, y - cy, 0.15, 0.17), size / 25)
    picture = over(picture, disc_edge, (0.95, 0.8, 0.55))
    bend = 0.08 * noise(rng, size, size / 5, 2)
    for k in range(int(rng.integers(6, 12))):
        u, v = (x - cx) * -side, (y - cy) * (1 if k % 2 else -1)
        path = rng.uniform(0.2, 1.2) * np.clip(u + 0.05, 0, 2) ** rng.uniform(0.4, 0.9) + bend * rng.uniform(
            0.5, 1.5
        )
        width = rng.uniform(0.006, 0.02) * np.clip(1.4 - u, 0.3, 1)
        vessel = np.clip((width - np.abs(v - path) * 0.7) * size / 2, 0, 1) * (u > -0.02)
        picture = over(picture, (vessel * rng.uniform(0.4, 0.8)).astype(np.float32), tinted(base, 0.45))
    mask = cover((radius - 1).astype(np.float32), 3)
    return Base(picture * mask[..., None], radius < 0.95)


def layers(rng: np.random.Generator, size: int) -> Base:
    """Draw a scan in depth: bright and dark bands that run across, with speckle."""
    x, y = coordinates(size)
    curve = rng.uniform(-0.15, 0.25) * x**2 + 0.02 * noise(rng, size, size / 2, 1)[size // 2][None, :]
    pit = rng.uniform(0, 0.2) * np.exp(-((x / rng.uniform(0.15, 0.3)) ** 2))
    top = rng.uniform(-0.5, -0.1)
    depth = (y - top - curve - pit).astype(np.float32)
    bounds = np.cumsum(rng.uniform(0.03, 0.14, 8))
    tones = rng.uniform(0.15, 0.9, 9)
    level = np.interp(depth, np.r_[-0.01, 0.0, bounds], np.r_[0.05, tones]).astype(np.float32)
    level *= np.exp(-np.clip(depth - bounds[-1], 0, 2) * rng.uniform(2, 6)).astype(np.float32)
    speckle = 1 + rng.uniform(0.1, 0.45) * noise(rng, size, rng.uniform(1.2, 3), 1, (1, rng.uniform(1, 2)))
    level = level * speckle + 0.04 * np.abs(noise(rng, size, 1.5, 1))
    return Base(grey(level.astype(np.float32)), (depth > -0.05) & (depth < bounds[-1] + 0.1))


def ultrasound(rng: np.random.Generator, size: int) -> Base:
    """Draw an ultrasound fan: speckled bands, a lobe of even tissue, vessels and shadows."""
    x, y = coordinates(size)
    u, v = x / rng.uniform(0.9, 1.3), y + rng.uniform(1.1, 2.5)
    angle, reach = np.arctan2(u, v), np.hypot(u, v)
    bands = np.interp(reach, np.sort(rng.uniform(0.5, 4, 9)), rng.uniform(0.1, 0.7, 9)).astype(np.float32)
    level = 0.6 * bands + 0.12 * noise(rng, size, size / 5, 2, (0.5, 1.5)) + 0.1
    lobe = shapes.ellipse(
        x - rng.uniform(-0.3, 0.3), y - rng.uniform(-0.3, 0.3), rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.4)
    )
    level += (rng.uniform(0.2, 0.55) - level) * cover(lobe + 0.05 * noise(rng, size, size / 4, 1), size / 10)
    for _ in range(int(rng.integers(0, 3))):
        r = rng.uniform(0.03, 0.1)
        vessel = shapes.ellipse(
            x - rng.uniform(-0.7, 0.7), y - rng.uniform(-0.5, 0.5), r * rng.uniform(1, 2), r
        )
        level += (0.04 - level) * cover(vessel, 6)
    level *= 1 + rng.uniform(0.2, 0.5) * noise(rng, size, rng.uniform(2, 4), 1, (0.7, 1.6))
    level *= 1 + 0.15 * noise(rng, size, size / 6, 1, (8, 1))
    inside = np.abs(angle) < rng.uniform(0.3, 0.8) if rng.random() < 0.6 else np.ones_like(x, dtype=bool)
    level = np.abs(level) * inside
    return Base(labelled(rng, grey(level.astype(np.float32)), 0.5), inside & (level > -1))


def film(rng: np.random.Generator, size: int) -> Base:
    """Draw a radiograph of bones or a mammogram: soft overlapping densities."""
    x, y = coordinates(size, rng.uniform(-0.5, 0.5))
    level = 0.1 + 0.05 * noise(rng, size, size, 2)
    soft = np.clip(1 - np.abs(x - rng.uniform(-0.2, 0.2)) / rng.uniform(0.6, 1.3), 0, 1) ** 0.5
    level += rng.uniform(0.2, 0.4) * soft
    for _ in range(int(rng.integers(1, 4))):
        u = x - rng.uniform(-0.5, 0.5) + 0.1 * y**2
        width = rng.uniform(0.1, 0.22) * (1 + rng.uniform(0, 0.8) * np.abs(y) ** 2)
        inside = np.clip(1 - (u / width) ** 2, 0, 1)
        level += rng.uniform(0.1, 0.25) * inside**0.5 + rng.uniform(0.1, 0.4) * np.clip(
            inside * (1 - inside) * 4 - 0.5, 0, 1
        )
    level += rng.uniform(0.02, 0.08) * spectral(rng, size, rng.uniform(0.9, 1.4)) * soft
    return Base(grey(scanned(rng, level.astype(np.float32))), soft > 0.2)
