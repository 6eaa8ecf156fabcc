"""Composed objects: one thing centred on a backdrop; each function draws one random base."""

from __future__ import annotations

import math

import numpy as np

from zerosight.synthesis.surfaces import shapes
from zerosight.synthesis.surfaces.fields import Picture, Plane, coordinates, noise, over, relief, smooth
from zerosight.synthesis.surfaces.materials import Base, backdrop, plain, surface
from zerosight.synthesis.surfaces.shapes import cover, pick
from zerosight.synthesis.surfaces.textures_natural import colour, tinted

TAU = 2 * math.pi


def _pose(rng: np.random.Generator, size: int, turn: float) -> tuple[Plane, Plane]:
    """Return coordinates slightly off centre, turned by up to ``turn`` radians, as in a loose fixture."""
    x, y = coordinates(size, rng.uniform(-turn, turn))
    return x - rng.normal(0, 0.04), y - rng.normal(0, 0.04)


def lit(rng: np.random.Generator, picture: Picture, distance: Plane, depth: float) -> Picture:
    """Return the picture shaded as a body that rises from its outline, with a highlight."""
    dome = np.sqrt(np.clip(-distance, 0, depth) / depth)
    shade = relief(smooth(dome, 1.5), rng.uniform(0, TAU), 0.15 * distance.shape[0] * depth)
    gloss = np.clip(shade - rng.uniform(0.3, 0.8), 0, 1) * rng.uniform(0, 1)
    return picture * (1 + rng.uniform(0.1, 0.4) * shade)[..., None] + gloss[..., None]


def placed(rng: np.random.Generator, below: Picture, distance: Plane, body: Picture) -> Base:
    """Return the body laid on a backdrop with its shadow."""
    alpha = cover(distance, rng.uniform(1, 2.5))
    if rng.random() < 0.6:
        shift = [int(v) for v in rng.integers(-8, 9, 2)]
        shadow = smooth(np.roll(alpha, shift, (0, 1)), rng.uniform(2, 9))
        below = below * (1 - rng.uniform(0.1, 0.6) * shadow)[..., None]
    return Base(over(below, alpha, body), alpha > 0.5)


def _lettered(rng: np.random.Generator, body: Picture, strength: float) -> Picture:
    """Return the body with a printed word, which is a normal thing to carry."""
    size = body.shape[0]
    left, top = rng.uniform(0.2, 0.5, 2) * size
    word = shapes.lettering(rng, size, left, top, rng.uniform(0.05, 0.16) * size)
    return over(body, word * strength, colour(rng, saturation=(0, 0.8), value=(0, 1)))


def disc(rng: np.random.Generator, size: int) -> Base:
    """Draw a round part with rings, teeth, spokes or bolt holes: cap, bottle mouth, nut, washer, bearing."""
    x, y = _pose(rng, size, math.pi)
    radius = rng.uniform(0.55, 0.95)
    kinds = (
        shapes.ellipse(x, y, radius, radius),
        shapes.polygon(x, y, int(rng.integers(5, 9)), radius * 0.85),
    )
    whole = pick(rng, (*kinds, kinds[0], shapes.gear(x, y, radius * 0.9, int(rng.integers(8, 40)), 0.06)))
    body = lit(rng, surface(rng, size), whole, rng.uniform(0.05, 0.3))
    reach = radius * 0.9
    for _ in range(int(rng.integers(1, 5))):
        reach *= rng.uniform(0.55, 0.92)
        ring = shapes.ellipse(x, y, reach, reach)
        part = lit(rng, plain(rng, size, colour(rng, saturation=(0, 0.7))), ring, rng.uniform(0.03, 0.2))
        body = over(body, cover(ring, rng.uniform(1, 4)), part)
    if rng.random() < 0.5:
        count, arm, hole = (
            int(rng.integers(3, 9)),
            radius * rng.uniform(0.4, 0.75),
            radius * rng.uniform(0.04, 0.14),
        )
        sector = np.mod(np.arctan2(y, x), TAU / count) - TAU / count / 2
        r = np.hypot(x, y)
        bolt = shapes.ellipse(r * np.cos(sector) - arm, r * np.sin(sector), hole, hole)
        body = over(body, cover(bolt, 1.5), tinted((0.1, 0.1, 0.1), rng.uniform(0, 4)))
    below = backdrop(rng, size)
    if rng.random() < 0.35:
        hole = radius * rng.uniform(0.2, 0.6)
        whole = np.maximum(whole, -shapes.ellipse(x, y, hole, hole))
    return placed(rng, below, whole, body)


def body_with_parts(rng: np.random.Generator, size: int) -> Base:
    """Draw a body of any outline with parts set on it, often mirrored: housings, plugs, chips, fruit."""
    x, y = _pose(rng, size, pick(rng, (0.05, 0.3, math.pi)))
    radius = rng.uniform(0.5, 0.95)
    whole = shapes.outline(rng, x, y, radius)
    body = lit(rng, surface(rng, size), whole, rng.uniform(0.04, 0.5))
    mirrored = rng.random() < 0.6
    px = np.abs(x) if mirrored else x
    for _ in range(int(rng.integers(0, 7))):
        cx, cy = rng.uniform(-0.1 if mirrored else -0.6, 0.6) * radius, rng.uniform(-0.6, 0.6) * radius
        part = np.maximum(
            shapes.outline(rng, px - cx, y - cy, radius * rng.uniform(0.05, 0.35)), whole + 0.03
        )
        skin = lit(rng, plain(rng, size, colour(rng, saturation=(0, 0.8))), part, rng.uniform(0.02, 0.1))
        body = over(body, cover(part, rng.uniform(1, 3)) * pick(rng, (1.0, 1.0, rng.uniform(0.2, 0.8))), skin)
    if rng.random() < 0.4:
        body = _lettered(rng, body, rng.uniform(0.3, 1))
    return placed(rng, backdrop(rng, size), whole, body)


def screw(rng: np.random.Generator, size: int) -> Base:
    """Draw a screw, bolt or spring: head, shaft, thread, point."""
    x, y = _pose(rng, size, math.pi)
    length, width = rng.uniform(0.6, 0.85), rng.uniform(0.06, 0.16)
    pitch = rng.uniform(15, 45)
    thread = rng.uniform(0.05, 0.3) * width * np.sin(pitch * (x + rng.uniform(0.1, 0.5) * y))
    taper = np.clip((length - x) * rng.uniform(2, 8), 0, 1)
    threaded = (x > rng.uniform(-0.5, 0.2)).astype(np.float32)
    shaft = np.maximum(np.abs(y) - (width + thread * threaded) * taper, np.abs(x) - length).astype(np.float32)
    head = shapes.box(x + length, y, rng.uniform(0.05, 0.14), width * rng.uniform(1.6, 2.8), 0.03)
    whole = np.minimum(shaft, head)
    base = colour(rng, saturation=(0, 0.3), value=(0.3, 0.85))
    round_shade = np.cos(np.clip(y / (width * 1.2), -1.5, 1.5)).astype(np.float32)
    level = 0.35 + 0.6 * round_shade + 0.25 * threaded * np.sin(pitch * (x + 0.3 * y) + 1)
    body = plain(rng, size, base) * level.astype(np.float32)[..., None]
    return placed(rng, backdrop(rng, size), whole, body)


def capsule(rng: np.random.Generator, size: int) -> Base:
    """Draw a two-coloured capsule or a pill with a score line, speckles and a printed mark."""
    x, y = _pose(rng, size, pick(rng, (0.1, math.pi)))
    width, height = rng.uniform(0.55, 0.9), rng.uniform(0.2, 0.5)
    whole = shapes.box(x, y, width, height, height * rng.uniform(0.6, 0.999))
    body = plain(rng, size, colour(rng, saturation=(0, 0.8), value=(0.3, 1)))
    if rng.random() < 0.6:
        half = plain(rng, size, colour(rng, saturation=(0, 0.9), value=(0.1, 1)))
        body = over(body, cover(x - rng.uniform(-0.2, 0.2), 2), half)
    else:
        speckle = np.clip(noise(rng, size, rng.uniform(2, 6), 1) - rng.uniform(1, 2.2), 0, 1)
        body = over(body, speckle, colour(rng, saturation=(0, 0.9)))
    if rng.random() < 0.7:
        body = _lettered(rng, body, rng.uniform(0.3, 1))
    return placed(rng, backdrop(rng, size), whole, lit(rng, body, whole, height * rng.uniform(0.3, 0.9)))


def cable(rng: np.random.Generator, size: int) -> Base:
    """Draw a cut cable: insulated cores of stranded wire within a sheath."""
    x, y = _pose(rng, size, math.pi)
    whole = shapes.ellipse(x, y, 0.85, 0.85)
    body = lit(rng, plain(rng, size, colour(rng, saturation=(0, 0.4))), whole, 0.1)
    count = int(rng.integers(2, 5))
    reach, arm = (0.36, 0.42) if count < 4 else (0.3, 0.48)
    strands = 0.55 + 0.25 * noise(rng, size, rng.uniform(5, 12), 1)
    for k in range(count):
        angle = TAU * k / count + rng.normal(0, 0.05)
        u, v = x - arm * math.cos(angle), y - arm * math.sin(angle)
        sleeve = shapes.ellipse(u, v, reach, reach)
        core = shapes.ellipse(u, v, reach * 0.68, reach * 0.68)
        body = over(
            body, cover(sleeve, 2), lit(rng, plain(rng, size, colour(rng, saturation=(0, 0.9))), sleeve, 0.1)
        )
        copper = np.asarray(colour(rng, (0.03, 0.1), (0.2, 0.7), (0.6, 0.95)), dtype=np.float32)
        body = over(body, cover(core, 2), strands[..., None] * copper)
    return placed(rng, backdrop(rng, size), whole, body)


def component(rng: np.random.Generator, size: int) -> Base:
    """Draw an electronic part: a body with legs that stand in a row, on a board or a perforated ground."""
    x, y = _pose(rng, size, 0.08)
    legs = int(rng.integers(2, 9))
    width, height = rng.uniform(0.3, 0.65), rng.uniform(0.2, 0.45)
    pitch = 2 * width / legs
    column = np.mod(x + width, pitch) - pitch / 2
    leg = np.maximum(np.abs(column) - pitch * rng.uniform(0.15, 0.3), np.abs(x) - width)
    reach = rng.uniform(0.2, 0.5)
    low = -height - reach if rng.random() < 0.5 else 0.0
    leg = np.maximum(leg, np.maximum(y - height - reach, low - y)).astype(np.float32)
    case = shapes.box(x, y, width, height, rng.uniform(0, 0.08))
    whole = np.minimum(leg, case)
    metal = plain(rng, size, colour(rng, saturation=(0, 0.2), value=(0.5, 0.95)))
    skin = plain(rng, size, colour(rng, saturation=(0, 0.5), value=(0.05, 0.5)))
    if rng.random() < 0.6:
        skin = _lettered(rng, skin, rng.uniform(0.3, 0.9))
    body = over(lit(rng, metal, leg, 0.05), cover(case, 1.5), lit(rng, skin, case, 0.06))
    return placed(rng, backdrop(rng, size), whole, body)


def filling(rng: np.random.Generator, size: int) -> Base:
    """Draw a close view of a part that runs out of the frame: panel, frame, profile, zip, commutator."""
    x, y = _pose(rng, size, 0.1)
    picture = surface(rng, size)
    for _ in range(int(rng.integers(1, 6))):
        u = x - rng.uniform(-1, 1)
        width = rng.uniform(0.03, 0.4)
        bar = np.abs(u) - width
        if rng.random() < 0.3:
            bar = np.maximum(bar, np.abs(np.mod(y * rng.uniform(2, 10), 1) - 0.5) - 0.3).astype(np.float32)
        picture = over(
            picture, cover(bar.astype(np.float32), rng.uniform(1, 4)), lit(rng, surface(rng, size), bar, 0.1)
        )
    if rng.random() < 0.3:
        picture = _lettered(rng, picture, rng.uniform(0.3, 1))
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture.transpose(1, 0, 2))
    return Base(picture, np.ones((size, size), dtype=bool))
