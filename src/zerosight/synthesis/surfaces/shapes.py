"""Outlines as signed distances, negative inside, in the coordinates of :func:`fields.coordinates`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zerosight.synthesis.surfaces.fields import Plane, Real

Item = TypeVar("Item")
_GLYPHS = "ABCDEFGHKLMNPRSTUVXYZ0123456789-/+.%"


def pick(rng: np.random.Generator, options: Sequence[Item]) -> Item:
    """Return one of the options, all as likely."""
    return options[int(rng.integers(len(options)))]


def cover(distance: Plane, softness: Real = 1.0) -> Plane:
    """Return opacity 1 inside and 0 outside, falling over about ``softness`` pixels."""
    return np.clip(0.5 - distance * (distance.shape[0] / 2 / softness), 0, 1).astype(np.float32)


def ellipse(x: Plane, y: Plane, width: Real, height: Real) -> Plane:
    """Return the distance to an ellipse of the given half axes (exact for circles)."""
    return ((np.hypot(x / width, y / height) - 1) * min(width, height)).astype(np.float32)


def box(x: Plane, y: Plane, width: Real, height: Real, corner: Real = 0.0) -> Plane:
    """Return the distance to a rectangle of the given half sides and corner radius."""
    dx, dy = np.abs(x) - (width - corner), np.abs(y) - (height - corner)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return (outside + np.minimum(np.maximum(dx, dy), 0) - corner).astype(np.float32)


def polygon(x: Plane, y: Plane, sides: int, radius: Real) -> Plane:
    """Return the distance to a regular polygon of the given inner radius."""
    sector = 2 * math.pi / sides
    angle = np.mod(np.arctan2(y, x) + sector / 2, sector) - sector / 2
    return (np.hypot(x, y) * np.cos(angle) - radius).astype(np.float32)


def lobed(x: Plane, y: Plane, radius: Real, waves: Sequence[tuple[int, Real, Real]]) -> Plane:
    """Return the distance to a closed curve whose radius waves: (count, strength, phase) each."""
    angle = np.arctan2(y, x)
    edge = np.full_like(x, radius)
    for count, strength, phase in waves:
        edge += radius * strength * np.cos(count * angle + phase)
    return (np.hypot(x, y) - edge).astype(np.float32)


def gear(x: Plane, y: Plane, radius: Real, teeth: int, depth: Real) -> Plane:
    """Return the distance to a toothed wheel."""
    wave = np.clip(np.cos(np.arctan2(y, x) * teeth) * 3, -1, 1)
    return (np.hypot(x, y) - radius * (1 + depth * wave)).astype(np.float32)


def outline(rng: np.random.Generator, x: Plane, y: Plane, radius: Real) -> Plane:
    """Return the distance to a random regular outline of about the given radius."""
    kind = int(rng.integers(7))
    aspect = rng.uniform(0.35, 1)
    if kind == 0:
        return ellipse(x, y, radius, radius)
    if kind == 1:
        return ellipse(x, y, radius, radius * aspect)
    if kind == 2:
        return box(x, y, radius, radius * aspect, radius * aspect * rng.uniform(0, 0.5))
    if kind == 3:
        return box(x, y, radius, radius * aspect * 0.7, radius * aspect * 0.699)
    if kind == 4:
        return polygon(x, y, int(rng.integers(3, 9)), radius * 0.8)
    if kind == 5:
        return gear(x, y, radius * 0.85, int(rng.integers(6, 30)), rng.uniform(0.03, 0.15))
    waves = [(k, rng.normal(0, 0.15 / k), rng.uniform(0, 6.28)) for k in range(2, 6)]
    return lobed(x, y, radius * 0.9, waves)


def lettering(rng: np.random.Generator, size: int, left: Real, top: Real, height: Real) -> Plane:
    """Return the opacity of a random printed word whose corner is at ``left``, ``top`` (pixels)."""
    word = "".join(pick(rng, _GLYPHS) for _ in range(int(rng.integers(1, 9))))
    image = Image.new("L", (size, size))
    ImageDraw.Draw(image).text((left, top), word, fill=255, font=ImageFont.load_default(max(6.0, height)))
    return np.asarray(image, dtype=np.float32) / 255
