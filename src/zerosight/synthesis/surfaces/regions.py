"""Outlines of defects: soft opacities of blobs, lines, cracks, spots and patches around a point."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw

from zerosight.synthesis.surfaces import shapes
from zerosight.synthesis.surfaces.fields import Plane, coordinates, noise, smooth
from zerosight.synthesis.surfaces.materials import Base
from zerosight.synthesis.surfaces.shapes import cover

Point = tuple[float, float]
Region = Callable[[np.random.Generator, int, Point, float], Plane]


def site(rng: np.random.Generator, base: Base, spread: float = math.inf) -> Point:
    """Return a random point (x, y in [-1, 1]) of the foreground, near the middle for a finite ``spread``."""
    rows, columns = np.nonzero(base.foreground)
    size = base.foreground.shape[0]
    if math.isfinite(spread):
        row, column = (size * (0.5 + rng.normal(0, spread / 2)) for _ in range(2))
        k = int(np.argmin((rows - row) ** 2 + (columns - column) ** 2))
    else:
        k = int(rng.integers(len(rows)))
    return float(columns[k]) * 2 / size - 1, float(rows[k]) * 2 / size - 1


def _local(rng: np.random.Generator, size: int, centre: Point) -> tuple[Plane, Plane]:
    """Return coordinates about the centre, turned at random."""
    x, y = coordinates(size)
    angle = rng.uniform(0, 2 * math.pi)
    u, v = x - centre[0], y - centre[1]
    return math.cos(angle) * u + math.sin(angle) * v, math.cos(angle) * v - math.sin(angle) * u


def blob(rng: np.random.Generator, size: int, centre: Point, radius: float) -> Plane:
    """Return a rounded patch with an irregular, sharp or soft outline."""
    u, v = _local(rng, size, centre)
    aspect = rng.uniform(0.4, 1)
    rough = rng.uniform(0, 0.3)
    waves = [(k, rng.normal(0, rough / k**0.7), rng.uniform(0, 6.28)) for k in range(2, 8)]
    distance = shapes.lobed(u, v / aspect, radius, waves)
    if rng.random() < 0.4:
        distance = distance + radius * rng.uniform(0.05, 0.3) * noise(
            rng, size, max(3.0, radius * size / 4), 2
        )
    softness = rng.uniform(1, 2.5) if rng.random() < 0.6 else max(1.5, radius * size * rng.uniform(0.1, 0.6))
    return cover(distance.astype(np.float32), softness)


def growth(rng: np.random.Generator, size: int, centre: Point, radius: float) -> Plane:
    """Return a rounded core with a fainter halo that reaches out in fingers."""
    core = blob(rng, size, centre, radius * rng.uniform(0.4, 0.8))
    u, v = _local(rng, size, centre)
    spread = np.hypot(u, v * rng.uniform(1, 1.6)) / radius
    fingers = spread + rng.uniform(0.1, 0.35) * noise(rng, size, max(5.0, radius * size / 3), 3)
    halo = np.clip((1 - fingers) * rng.uniform(2, 8), 0, 1) * rng.uniform(0.2, 0.7)
    return np.maximum(core, smooth(halo, max(1.0, radius * size * 0.04))).astype(np.float32)


def patch(rng: np.random.Generator, size: int, centre: Point, radius: float) -> Plane:
    """Return a rectangle or polygon, sharp or slightly soft."""
    u, v = _local(rng, size, centre)
    if rng.random() < 0.6:
        distance = shapes.box(u, v, radius, radius * rng.uniform(0.2, 1), 0.0)
    else:
        distance = shapes.polygon(u, v, int(rng.integers(3, 7)), radius * 0.8)
    return cover(distance, rng.uniform(1, 4))


def cloud(rng: np.random.Generator, size: int, centre: Point, radius: float) -> Plane:
    """Return ragged islands that thin out away from the centre."""
    u, v = _local(rng, size, centre)
    fall = np.exp(-((u / radius) ** 2 + (v / (radius * rng.uniform(0.4, 1))) ** 2) * 1.2)
    field = noise(rng, size, max(4.0, radius * size * rng.uniform(0.15, 0.6)), 4)
    level = fall * (1 + rng.uniform(0.2, 0.7) * field) - rng.uniform(0.35, 0.6)
    return np.clip(level * rng.uniform(2, 20), 0, 1).astype(np.float32)


def _drawn(size: int, paths: list[tuple[list[Point], float]]) -> Plane:
    """Return smooth lines through points in [-1, 1], each of a width in pixels, drawn at twice the size."""
    image = Image.new("L", (2 * size, 2 * size))
    pen = ImageDraw.Draw(image)
    for points, width in paths:
        scaled = [((x + 1) * size, (y + 1) * size) for x, y in points]
        pen.line(scaled, fill=255, width=max(1, round(2 * width)), joint="curve")
    return np.asarray(image.resize((size, size), Image.Resampling.BOX), dtype=np.float32) / 255


def _path(rng: np.random.Generator, start: Point, angle: float, length: float, wander: float) -> list[Point]:
    """Return the points of a walk that keeps about its direction."""
    steps = max(3, int(length * 25))
    drift = rng.normal(0, 1.2) / steps
    x, y = start
    points = [start]
    for _ in range(steps):
        angle += drift + rng.normal(0, wander)
        x, y = x + math.cos(angle) * length / steps, y + math.sin(angle) * length / steps
        points.append((x, y))
    return points


def scratch(rng: np.random.Generator, size: int, centre: Point, radius: float) -> Plane:
    """Return one or a few nearly straight lines side by side, fading along their way."""
    angle, length = rng.uniform(0, 2 * math.pi), 2 * radius
    width = rng.uniform(0.8, 2.5) + (rng.uniform(0, 5) if rng.random() < 0.25 else 0)
    paths = []
    for _ in range(1 if rng.random() < 0.65 else int(rng.integers(2, 6))):
        turn = angle + rng.normal(0, 0.08)
        x = centre[0] - math.cos(turn) * radius + rng.normal(0, 0.15) * radius
        y = centre[1] - math.sin(turn) * radius + rng.normal(0, 0.15) * radius
        paths.append(
            (_path(rng, (x, y), turn, length * rng.uniform(0.5, 1), 0.01), width * rng.uniform(0.6, 1.2))
        )
    fade = np.clip(1 + rng.uniform(0, 0.8) * noise(rng, size, max(6.0, radius * size / 4)), 0.15, 1)
    return (smooth(_drawn(size, paths), rng.uniform(0, 0.8)) * fade).astype(np.float32)


def crack(rng: np.random.Generator, size: int, centre: Point, radius: float) -> Plane:
    """Return a jagged line that forks and thins out."""
    angle, width = rng.uniform(0, 2 * math.pi), rng.uniform(0.8, 2.8)
    start = (centre[0] - math.cos(angle) * radius, centre[1] - math.sin(angle) * radius)
    trunk = _path(rng, start, angle, 2 * radius, rng.uniform(0.15, 0.45))
    third = len(trunk) // 3
    paths = [(trunk, width * 0.6), (trunk[: 2 * third + 1], width * 0.8), (trunk[: third + 1], width)]
    for _ in range(int(rng.integers(0, 5))):
        begin = trunk[int(rng.integers(len(trunk)))]
        fork = _path(
            rng,
            begin,
            angle + rng.choice([-1, 1]) * rng.uniform(0.4, 1.2),
            radius * rng.uniform(0.3, 0.9),
            0.3,
        )
        paths.append((fork, width * 0.6))
    return smooth(_drawn(size, paths), rng.uniform(0, 0.7))


def fibre(rng: np.random.Generator, size: int, centre: Point, radius: float) -> Plane:
    """Return a curled thread or a meandering outline."""
    paths = []
    for _ in range(1 if rng.random() < 0.7 else 3):
        points = _path(rng, centre, rng.uniform(0, 2 * math.pi), radius * 2.5, rng.uniform(0.1, 0.35))
        paths.append((points, rng.uniform(1, 3.5)))
    return smooth(_drawn(size, paths), rng.uniform(0.3, 0.8))


def spots(rng: np.random.Generator, size: int, centre: Point, radius: float) -> Plane:
    """Return a cluster of small dots."""
    x, y = coordinates(size)
    total = np.zeros_like(x)
    for _ in range(int(rng.integers(2, 12))):
        cx, cy = centre[0] + rng.normal(0, radius * 0.5), centre[1] + rng.normal(0, radius * 0.5)
        r = max(2.0 / size, radius * rng.uniform(0.06, 0.3))
        total = np.maximum(total, cover(shapes.ellipse(x - cx, y - cy, r, r * rng.uniform(0.6, 1)), 1.5))
    return total


def band(rng: np.random.Generator, size: int, centre: Point, radius: float) -> Plane:
    """Return a long stripe along or across the picture, as a roller or a dirty lens leaves it."""
    x, y = coordinates(size)
    u, v = (x - centre[0], y - centre[1]) if rng.random() < 0.6 else (y - centre[1], x - centre[0])
    width = max(1.5 / size, radius * rng.uniform(0.05, 0.35))
    length = min(2.0, radius * rng.uniform(1.5, 5))
    across = np.clip((width * (1 + 0.2 * noise(rng, size, 20, 2)) - np.abs(u)) * size / 3, 0, 1)
    along = np.clip((length - np.abs(v)) * size / rng.uniform(3, 60), 0, 1)
    broken = np.clip(1 + rng.uniform(0, 1.5) * noise(rng, size, size / 10, 2, (1.5, 0.4)), 0, 1)
    return (across * along * broken).astype(np.float32)


REGIONS: Mapping[str, Region] = MappingProxyType(
    {
        "blob": blob,
        "growth": growth,
        "patch": patch,
        "cloud": cloud,
        "scratch": scratch,
        "crack": crack,
        "fibre": fibre,
        "spots": spots,
        "band": band,
    }
)
