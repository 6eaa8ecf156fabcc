"""Phantoms of heads: a roundish, roughly symmetrical organ with inner structure on black.

They copy the look of a kind of picture, not the anatomy of anybody.
"""

from __future__ import annotations

import numpy as np

from zerosight.synthesis.surfaces import shapes
from zerosight.synthesis.surfaces.fields import (
    Plane,
    coordinates,
    noise,
    smooth,
    unit,
    warped,
)
from zerosight.synthesis.surfaces.materials import Base
from zerosight.synthesis.surfaces.scans import band, grey, labelled, mixed, organ, scanned
from zerosight.synthesis.surfaces.shapes import cover, pick


def _head(rng: np.random.Generator, size: int) -> tuple[Plane, Plane, Plane]:
    """Return x, y and a radius that is 1 on the skin of a head-shaped outline."""
    x, y = coordinates(size, rng.normal(0, 0.06))
    x, y = x - rng.normal(0, 0.03), y - rng.normal(0, 0.03)
    height = rng.uniform(0.62, 0.97)
    width = height * rng.uniform(0.68, 1.0)
    power = rng.uniform(1.9, 2.5)
    taper = 1 + rng.uniform(-0.15, 0.15) * y
    radius = (np.abs(x / (width * taper)) ** power + np.abs(y / height) ** power) ** (1 / power)
    radius += 0.012 * mixed(rng, size, size / 4, 2, 0.8)
    return x / width, y / height, radius.astype(np.float32)


def _ventricles(rng: np.random.Generator, x: Plane, y: Plane, wave: Plane) -> Plane:
    """Return the opacity of a mirrored pair of horns about the middle, sometimes with a third chamber."""
    scale = rng.uniform(0.5, 1.3)
    lift = rng.uniform(-0.15, 0.1)
    side = np.abs(x + 0.01 * wave)
    bend = rng.uniform(0.3, 0.9)
    total = np.zeros_like(x)
    for sign in (-1.0, 1.0):
        v = (y - lift) * sign
        spine = 0.05 * scale + bend * np.clip(v, 0, 1) ** 1.5
        width = scale * rng.uniform(0.03, 0.08) * np.clip(1 - v / (0.42 * scale), 0, 1) ** 0.5
        total = np.maximum(
            total, np.clip((width - np.abs(side - spine)) * 60, 0, 1) * (v > -0.05) * (v < 0.4 * scale)
        )
    if rng.random() < 0.4:
        total = np.maximum(total, cover(shapes.ellipse(x, y - lift - 0.05, 0.025, rng.uniform(0.08, 0.2)), 3))
    return smooth(total.astype(np.float32), x.shape[0] / 200)


def _gyri(rng: np.random.Generator, size: int, radius: Plane, edge: float) -> tuple[Plane, Plane]:
    """Return how far each pixel is white matter, and how far it lies in a furrow."""
    scale = size / rng.uniform(8, 16)
    folds = np.abs(mixed(rng, size, scale, 2, rng.uniform(0, 0.8))) * (scale / size * 1.6)
    depth = edge - radius + 0.02 * mixed(rng, size, scale * 2, 1, 0.5)
    reach = rng.uniform(0.12, 0.4)
    nearest = np.minimum(
        depth, folds + 1.5 * np.clip(depth - reach * (1 + 0.3 * mixed(rng, size, scale)), 0, 1)
    )
    ribbon, furrow = rng.uniform(0.03, 0.07), rng.uniform(0.004, 0.022)
    white = np.clip((nearest - ribbon) / 0.025, 0, 1)
    furrows = np.clip((furrow - nearest) / 0.008 + 0.5, 0, 1)
    return smooth(white, size / 400), smooth(furrows, size / 400)


def _head_tones(rng: np.random.Generator) -> dict[str, float]:
    """Return the brightness of each tissue, as one of the usual contrasts with chance."""
    tones = pick(
        rng,
        (
            {"white": 0.62, "grey": 0.45, "fluid": 0.1, "skin": 0.85, "bone": 0.08},
            {"white": 0.32, "grey": 0.5, "fluid": 0.92, "skin": 0.55, "bone": 0.05},
            {"white": 0.38, "grey": 0.5, "fluid": 0.08, "skin": 0.7, "bone": 0.08},
            {"white": 0.4, "grey": 0.43, "fluid": 0.2, "skin": 0.3, "bone": 0.98},
            {"white": 0.5, "grey": 0.56, "fluid": 0.15, "skin": 0.6, "bone": 0.03},
        ),
    )
    return {name: float(np.clip(tone + rng.normal(0, 0.05), 0, 1)) for name, tone in tones.items()}


def brain(rng: np.random.Generator, size: int) -> Base:
    """Draw a slice through a head, with the contrast of one of several scanners."""
    x, y, radius = _head(rng, size)
    tone = _head_tones(rng)
    edge = rng.uniform(0.78, 0.94)
    scalp = edge + (1 - edge) * rng.uniform(0.4, 0.85)
    level = np.full((size, size), rng.uniform(0, 0.03), dtype=np.float32)
    level += (
        tone["skin"] * band(radius, scalp, 1.0) * (1 + rng.uniform(0, 0.12) * noise(rng, size, size / 8, 3))
    )
    level = level + (tone["bone"] - level) * band(radius, edge, scalp)
    inside = np.clip((edge - radius) * 60, 0, 1)
    wave = mixed(rng, size, size / 5, 2, 0.5)
    white, furrows = _gyri(rng, size, radius, edge)
    tissue = tone["grey"] + (tone["white"] - tone["grey"]) * white
    tissue += rng.uniform(0, 0.04) * mixed(rng, size, size / 8, 2, 0.6)
    for _ in range(int(rng.integers(0, 4))):
        cx, cy, r = rng.uniform(0.1, 0.4), rng.uniform(-0.3, 0.3), rng.uniform(0.05, 0.14)
        nucleus = cover(shapes.ellipse(np.abs(x) - cx, y - cy, r, r * rng.uniform(1, 2)), size / 60)
        tissue += (tone["grey"] - tissue) * nucleus * rng.uniform(0.3, 1)
    tissue += (tone["fluid"] - tissue) * furrows * rng.uniform(0.3, 1)
    fissure = np.exp(-(((x + 0.008 * wave) / rng.uniform(0.006, 0.02)) ** 2)) * (
        np.abs(y) > rng.uniform(0, 0.45)
    )
    tissue += (tone["fluid"] - tissue) * fissure * rng.uniform(0.2, 1)
    if rng.random() < 0.75:
        tissue += (tone["fluid"] - tissue) * _ventricles(rng, x, y, wave)
    if rng.random() < 0.4:
        spots = np.clip(mixed(rng, size, size / 30, 1, 0.7) - rng.uniform(1.8, 2.6), 0, 1) * (np.abs(x) < 0.6)
        tissue += rng.uniform(-0.3, 0.5) * spots
    level = level + (tissue - level) * inside
    level = scanned(rng, level.astype(np.float32))
    return Base(labelled(rng, grey(level), 0.3), (radius < edge - 0.03))


def head_side(rng: np.random.Generator, size: int) -> Base:
    """Draw a head or joint from the side: unlike tissues without a mirror line."""
    x, y, radius = _head(rng, size)
    edge = rng.uniform(0.75, 0.94)
    zones = warped(
        noise(rng, size, size / 4, 1), 8 * noise(rng, size, size / 8, 1), 8 * noise(rng, size, size / 8, 1)
    )
    level = rng.uniform(0.2, 0.4) + rng.uniform(0.05, 0.25) * unit(np.round(zones * 1.2).astype(np.float32))
    folds = np.abs(noise(rng, size, size / rng.uniform(10, 20), 1))
    level = level - rng.uniform(0, 0.5) * np.clip(0.3 - folds, 0, 1) * (y < rng.uniform(-0.2, 0.3))
    level = smooth(level.astype(np.float32), 1.2) * np.clip((edge - radius) * 40, 0, 1)
    level += (
        rng.uniform(0.3, 0.9)
        * band(radius, edge + 0.4 * (1 - edge), 1.0)
        * (1 + rng.uniform(0, 0.15) * noise(rng, size, size / 8, 3))
    )
    for _ in range(int(rng.integers(0, 4))):
        part = organ(rng, x - rng.uniform(-0.4, 0.4), y - rng.uniform(-0.2, 0.5), rng.uniform(0.08, 0.25))
        level += rng.uniform(-0.06, 0.06) * cover(part, size / 25) * (radius < edge)
    return Base(labelled(rng, grey(scanned(rng, level.astype(np.float32))), 0.3), radius < edge - 0.03)
