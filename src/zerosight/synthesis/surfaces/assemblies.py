"""Many parts in one picture: rows and grids of equal things, and circuit boards."""

from __future__ import annotations

import numpy as np

from zerosight.synthesis.surfaces import shapes
from zerosight.synthesis.surfaces.fields import coordinates, noise, over, resize, smooth
from zerosight.synthesis.surfaces.materials import Base, backdrop, plain
from zerosight.synthesis.surfaces.objects import body_with_parts, capsule, component, disc, lit, screw
from zerosight.synthesis.surfaces.shapes import cover, pick
from zerosight.synthesis.surfaces.textures_natural import colour, tinted


def _tile(rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one part as a picture and its opacity, drawn at twice the size it is used."""
    work = max(48, min(128, side * 2))
    base = pick(rng, (disc, capsule, body_with_parts, body_with_parts, screw, component))(rng, work)
    rows, columns = np.flatnonzero(base.foreground.any(1)), np.flatnonzero(base.foreground.any(0))
    middle = (rows[0] + rows[-1] + 1) / 2, (columns[0] + columns[-1] + 1) / 2
    half = min(work / 2, max(rows[-1] - rows[0], columns[-1] - columns[0]) / 2 + 3)
    top, left = (float(np.clip(m - half, 0, work - 2 * half)) for m in middle)
    box = (left, top, left + 2 * half, top + 2 * half)
    planes = [resize(np.ascontiguousarray(base.picture[..., k]), (side, side), box) for k in range(3)]
    opacity = resize(base.foreground.astype(np.float32), (side, side), box)
    return np.stack(planes, axis=2), np.clip(opacity, 0, 1)


def array(rng: np.random.Generator, size: int) -> Base:
    """Draw equal parts in rows and columns, each turned, lit and placed a little differently."""
    picture = backdrop(rng, size).copy()
    foreground = np.zeros((size, size), dtype=np.float32)
    rows, columns = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    if rows * columns == 1:
        rows = columns = 2
    side = int(min(size / rows, size / columns) * rng.uniform(0.6, 1.0))
    tile, opacity = _tile(rng, side)
    shuffle, wander = rng.random() < 0.4, rng.uniform(0, 0.06) * side
    for row in range(rows):
        for column in range(columns):
            turned, seen = tile, opacity
            if shuffle:
                quarter, mirrored = int(rng.integers(4)), rng.random() < 0.5
                turned, seen = np.rot90(tile, quarter), np.rot90(opacity, quarter)
                turned, seen = (turned[:, ::-1], seen[:, ::-1]) if mirrored else (turned, seen)
            top = int(np.clip((row + 0.5) * size / rows - side / 2 + rng.normal(0, wander), 0, size - side))
            left = int(
                np.clip((column + 0.5) * size / columns - side / 2 + rng.normal(0, wander), 0, size - side)
            )
            window = (slice(top, top + side), slice(left, left + side))
            shade = 1 + rng.normal(0, 0.03)
            picture[window] = over(picture[window], seen, (turned * shade).astype(np.float32))
            foreground[window] = np.maximum(foreground[window], seen)
    return Base(picture, foreground > 0.5)


def heap(rng: np.random.Generator, size: int) -> Base:
    """Draw loose parts of one kind, scattered and overlapping."""
    picture = backdrop(rng, size).copy()
    foreground = np.zeros((size, size), dtype=np.float32)
    side = int(size * rng.uniform(0.12, 0.35))
    variants = [_tile(rng, side)]
    for _ in range(int(rng.integers(6, 30))):
        tile, opacity = pick(rng, variants)
        quarter = int(rng.integers(4))
        tile, opacity = np.rot90(tile, quarter), np.rot90(opacity, quarter)
        top, left = (int(v) for v in rng.integers(0, size - side, 2))
        window = (slice(top, top + side), slice(left, left + side))
        picture[window] = over(
            picture[window], opacity, (tile * (1 + rng.normal(0, 0.05))).astype(np.float32)
        )
        foreground[window] = np.maximum(foreground[window], opacity)
    return Base(picture, foreground > 0.5)


def circuit(rng: np.random.Generator, size: int) -> Base:
    """Draw a circuit board: traces, pads, vias, chips, small parts, lettering."""
    hue = pick(rng, ((0.3, 0.45), (0.55, 0.65), (0.0, 0.05), (0.1, 0.16)))
    board = colour(rng, hue, (0.3, 0.9), (0.15, 0.5))
    picture = plain(rng, size, board, 0.01)
    lattice = max(4, size // int(rng.integers(20, 45)))
    coarse = -(-size // lattice)
    runs = (noise(rng, coarse, 3, 1, (1, 4)) > 0.6) | (noise(rng, coarse, 3, 1, (4, 1)) > 0.9)
    copper = np.kron(runs, np.ones((lattice, lattice)))[:size, :size].astype(np.float32)
    picture = over(picture, 0.7 * smooth(copper, 0.7), tinted(board, rng.uniform(1.3, 1.8)))
    x, y = coordinates(size)
    solder = (0.8, 0.8, 0.78)
    spots = np.kron(rng.random((coarse, coarse)) < 0.04, np.ones((lattice, lattice)))[:size, :size].astype(
        np.float32
    )
    picture = over(picture, np.clip(smooth(spots, 1.2) * 1.5, 0, 1), solder)
    for _ in range(int(rng.integers(3, 14))):
        cx, cy = rng.uniform(-0.85, 0.85), rng.uniform(-0.85, 0.85)
        width, height = rng.uniform(0.03, 0.22, 2).tolist()
        u, v = (x - cx, y - cy) if rng.random() < 0.5 else (y - cy, x - cx)
        pins = np.maximum(shapes.box(u, v, width, height + 0.05), np.sin(u * rng.uniform(60, 120)) * 0.02)
        picture = over(picture, cover(pins.astype(np.float32), 1.5), solder)
        case = shapes.box(u, v, width, height, rng.uniform(0, 0.02))
        skin = plain(rng, size, colour(rng, saturation=(0, 0.6), value=(0.03, 0.8)))
        picture = over(picture, cover(case, 1.2), lit(rng, skin, case, 0.03))
    for _ in range(int(rng.integers(1, 5))):
        left, top = rng.uniform(0, 0.85, 2) * size
        word = shapes.lettering(rng, size, left, top, rng.uniform(0.03, 0.07) * size)
        picture = over(picture, 0.8 * word, (0.95, 0.95, 0.9))
    return Base(picture, np.ones((size, size), dtype=bool))


def tray(rng: np.random.Generator, size: int) -> Base:
    """Draw unlike objects that fill a tray, each always in its place."""
    picture = backdrop(rng, size).copy()
    foreground = np.zeros((size, size), dtype=np.float32)
    top = 0
    while top < size - 40:
        height = int(rng.integers(size // 5, size // 2))
        left = 0
        while left < size - 40:
            side = min(height, size - top, size - left)
            if side < 24:
                break
            tile, opacity = _tile(rng, side)
            window = (slice(top, top + side), slice(left, left + side))
            picture[window] = over(picture[window], opacity, tile)
            foreground[window] = opacity
            left += side + int(rng.integers(0, 12))
        top += height
    return Base(picture, foreground > 0.5)
