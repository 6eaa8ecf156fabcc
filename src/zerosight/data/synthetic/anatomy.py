"""Phantoms of radiological and ophthalmic pictures; each function draws one random base.

They copy the look of a kind of picture (a roundish, roughly symmetrical organ with inner structure on black),
not the anatomy of anybody.
"""

from __future__ import annotations

import numpy as np

from zerosight.data.synthetic import shapes
from zerosight.data.synthetic.fields import (
    Picture,
    Plane,
    coloured,
    coordinates,
    noise,
    over,
    smooth,
    spectral,
    unit,
    warped,
)
from zerosight.data.synthetic.materials import Base
from zerosight.data.synthetic.shapes import cover, pick
from zerosight.data.synthetic.textures_natural import colour, tinted


def _grey(level: Plane) -> Picture:
    """Return the level as a grey picture."""
    return np.repeat(np.clip(level, 0, 1)[..., None], 3, axis=2)


def _labelled(rng: np.random.Generator, picture: Picture, chance: float) -> Picture:
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


def _mixed(rng: np.random.Generator, size: int, scale: float, octaves: int, likeness: float) -> Plane:
    """Return noise that is mirrored left to right up to ``likeness`` in [0, 1]."""
    field = noise(rng, size, scale, octaves)
    mirrored = (field + field[:, ::-1]) * np.float32(0.7)
    return likeness * mirrored + (1 - likeness) * noise(rng, size, scale, octaves)


def _head(rng: np.random.Generator, size: int) -> tuple[Plane, Plane, Plane]:
    """Return x, y and a radius that is 1 on the skin of a head-shaped outline."""
    x, y = coordinates(size, rng.normal(0, 0.06))
    x, y = x - rng.normal(0, 0.03), y - rng.normal(0, 0.03)
    height = rng.uniform(0.62, 0.97)
    width = height * rng.uniform(0.68, 1.0)
    power = rng.uniform(1.9, 2.5)
    taper = 1 + rng.uniform(-0.15, 0.15) * y
    radius = (np.abs(x / (width * taper)) ** power + np.abs(y / height) ** power) ** (1 / power)
    radius += 0.012 * _mixed(rng, size, size / 4, 2, 0.8)
    return x / width, y / height, radius.astype(np.float32)


def _band(radius: Plane, inner: float, outer: float, softness: float = 0.012) -> Plane:
    """Return opacity 1 where the radius lies between two values."""
    return (np.clip((radius - inner) / softness, 0, 1) * np.clip((outer - radius) / softness, 0, 1)).astype(
        np.float32
    )


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
    """Return how far each pixel is white matter, and the depth of the furrows from the rim."""
    scale = size / rng.uniform(9, 18)
    folds = np.abs(_mixed(rng, size, scale, 1, rng.uniform(0, 0.8)))
    depth = edge - radius + 0.05 * _mixed(rng, size, scale * 2, 1, 0.5)
    reach = rng.uniform(0.12, 0.35)
    near = np.clip(1 - depth / reach, 0, 1)
    furrows = np.clip((near * rng.uniform(0.2, 0.45) - folds) * 6, 0, 1)
    white = np.clip((depth - 0.07 - 0.22 * np.clip(1 - folds, 0, 1) * near) * 14, 0, 1)
    return smooth(white.astype(np.float32), size / 250), smooth(furrows.astype(np.float32), size / 300)


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
    edge = rng.uniform(0.76, 0.9)
    level = np.full((size, size), rng.uniform(0, 0.03), dtype=np.float32)
    level += (
        tone["skin"]
        * _band(radius, edge + 0.09 * rng.uniform(0.6, 1), 1.0)
        * (0.8 + 0.2 * noise(rng, size, 20, 2))
    )
    level = level + (tone["bone"] - level) * _band(radius, edge, edge + rng.uniform(0.05, 0.1))
    inside = np.clip((edge - radius) * 60, 0, 1)
    wave = _mixed(rng, size, size / 5, 2, 0.5)
    white, furrows = _gyri(rng, size, radius, edge)
    tissue = tone["grey"] + (tone["white"] - tone["grey"]) * white
    tissue += rng.uniform(0, 0.04) * _mixed(rng, size, size / 8, 2, 0.6)
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
        spots = np.clip(_mixed(rng, size, size / 30, 1, 0.7) - rng.uniform(1.8, 2.6), 0, 1) * (
            np.abs(x) < 0.6
        )
        tissue += rng.uniform(-0.3, 0.5) * spots
    level = level + (tissue - level) * inside
    level = _scanned(rng, level.astype(np.float32))
    return Base(_labelled(rng, _grey(level), 0.3), (radius < edge - 0.03))


def _scanned(rng: np.random.Generator, level: Plane) -> Plane:
    """Return the level with a scanner's slow change of gain, blur and noise."""
    size = level.shape[0]
    level = level * (1 + rng.uniform(0, 0.15) * noise(rng, size, size * 0.8, 1))
    level = smooth(level, rng.uniform(0.3, 1.4) * size / 320)
    return np.abs(level + rng.uniform(0, 0.025) * noise(rng, size, rng.uniform(1, 2.5), 1))


def head_side(rng: np.random.Generator, size: int) -> Base:
    """Draw a head or joint from the side: unlike tissues without a mirror line."""
    x, y, radius = _head(rng, size)
    edge = rng.uniform(0.7, 0.9)
    zones = warped(
        noise(rng, size, size / 4, 1), 8 * noise(rng, size, size / 8, 1), 8 * noise(rng, size, size / 8, 1)
    )
    level = 0.15 + 0.5 * unit(np.round(zones * 1.2).astype(np.float32))
    folds = np.abs(noise(rng, size, size / rng.uniform(10, 20), 1))
    level = level - rng.uniform(0, 0.5) * np.clip(0.3 - folds, 0, 1) * (y < rng.uniform(-0.2, 0.3))
    level = smooth(level.astype(np.float32), 1.2) * np.clip((edge - radius) * 40, 0, 1)
    level += rng.uniform(0.3, 0.9) * _band(radius, edge + 0.04, 1.0) * (0.8 + 0.2 * noise(rng, size, 15, 1))
    for _ in range(int(rng.integers(0, 5))):
        part = shapes.outline(
            rng, x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.3, 0.6), rng.uniform(0.05, 0.25)
        )
        level += (rng.uniform(0, 0.9) - level) * cover(part, size / 60) * (radius < edge)
    return Base(_labelled(rng, _grey(_scanned(rng, level.astype(np.float32))), 0.3), radius < edge - 0.03)


def trunk(rng: np.random.Generator, size: int) -> Base:
    """Draw a slice through a trunk: fat, muscle, spine, ribs, a large organ with vessels and smaller ones."""
    x, y = coordinates(size, rng.normal(0, 0.04))
    wave = 0.03 * noise(rng, size, size / 3, 2)
    radius = (np.abs(x / rng.uniform(0.8, 0.97)) ** 2.3 + np.abs(y / rng.uniform(0.6, 0.85)) ** 2.3) ** (
        1 / 2.3
    ) + wave
    level = np.full((size, size), 0.01, dtype=np.float32)
    level += _band(radius, -1.0, 1.0) * rng.uniform(0.15, 0.4)
    muscle = rng.uniform(0.4, 0.55)
    wall = rng.uniform(0.8, 0.93)
    level += (muscle - level) * _band(radius, wall - 0.1, wall)
    inner = radius < wall - 0.1
    level += (rng.uniform(0.1, 0.35) - level) * inner
    for _ in range(int(rng.integers(6, 16))):
        size_of = rng.uniform(0.06, 0.25)
        part = shapes.outline(rng, x - rng.uniform(-0.6, 0.6), y - rng.uniform(-0.4, 0.4), size_of) + wave
        level += (rng.uniform(0.3, 0.65) - level) * cover(part.astype(np.float32), 3) * inner
    organ = (
        shapes.ellipse(x + rng.uniform(0.2, 0.4), y + rng.uniform(-0.1, 0.15), 0.45, rng.uniform(0.3, 0.5))
        + 2 * wave
    )
    tissue = rng.uniform(0.45, 0.7) + 0.02 * noise(rng, size, 6, 2)
    vessels = (
        np.clip(0.12 - np.abs(noise(rng, size, size / 7, 1)), 0, 1) * 8 * (noise(rng, size, size / 5, 1) > 0)
    )
    alpha = cover(organ.astype(np.float32), 4) * inner
    level += (tissue + rng.uniform(-0.12, 0.2) * smooth(np.clip(vessels, 0, 1), 1.2) - level) * alpha
    spine = cover(shapes.lobed(x, y - 0.42, 0.12, [(3, 0.25, 1.57), (2, 0.1, 0.0)]), 3)
    level += (rng.uniform(0.8, 1) - level) * spine
    ribs = _band(radius, wall - 0.09, wall - 0.04) * (np.sin(np.arctan2(y, x) * rng.integers(8, 14)) > 0.5)
    level += (0.9 - level) * smooth(ribs.astype(np.float32), 1)
    level = _scanned(rng, level.astype(np.float32))
    return Base(_labelled(rng, _grey(level), 0.2), (alpha > 0.6) | (inner & (rng.random() < 0.3)))


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
    return Base(_labelled(rng, _grey(_scanned(rng, level.astype(np.float32))), 0.6), lungs > 0.5)


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
    return Base(_grey(level.astype(np.float32)), (depth > -0.05) & (depth < bounds[-1] + 0.1))


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
    return Base(_labelled(rng, _grey(level.astype(np.float32)), 0.5), inside & (level > -1))


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
    return Base(_grey(_scanned(rng, level.astype(np.float32))), soft > 0.2)
