"""Every texture by name, and the surfaces objects are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool

from zerosight.synthesis.surfaces import textures_industrial as industrial
from zerosight.synthesis.surfaces import textures_natural as natural
from zerosight.synthesis.surfaces import textures_regular as regular
from zerosight.synthesis.surfaces.fields import Picture, coloured, noise
from zerosight.synthesis.surfaces.shapes import pick
from zerosight.synthesis.surfaces.textures_natural import Colour, colour, tinted

Texture = Callable[[np.random.Generator, int], Picture]


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A picture without defects.

    Attributes:
        picture: Red, green, blue in [0, 1].
        foreground: Where a defect may lie.
    """

    picture: Picture
    foreground: Bool[np.ndarray, "height width"]


TEXTURES: Mapping[str, Texture] = MappingProxyType(
    {
        "wood": natural.wood,
        "leather": natural.leather,
        "marble": natural.marble,
        "concrete": natural.concrete,
        "terrazzo": natural.terrazzo,
        "felt": natural.felt,
        "pebbles": natural.pebbles,
        "paper": natural.paper,
        "stone": natural.stone,
        "fluid": natural.fluid,
        "noise": natural.noisy,
        "brushed": industrial.brushed,
        "ground_tile": industrial.ground_tile,
        "rolled": industrial.rolled,
        "turned": industrial.turned,
        "hammered": industrial.hammered,
        "solar": industrial.solar,
        "coated": industrial.coated,
        "rusty": industrial.rusty,
        "wafer": industrial.wafer,
        "woven": regular.woven,
        "knit": regular.knit,
        "mesh": regular.mesh,
        "perforated": regular.perforated,
        "bricks": regular.bricks,
        "stripes": regular.stripes,
        "honeycomb": regular.honeycomb,
        "print": regular.print_pattern,
    }
)


def plain(rng: np.random.Generator, size: int, base: Colour, grain: float = 0.02) -> Picture:
    """Draw a nearly plain surface of one colour."""
    level = 0.5 + grain * noise(rng, size, rng.uniform(2, 20), 2)
    return coloured(np.clip(level, 0, 1), (tinted(base, 0.2), base, tinted(base, 1.8)))


def surface(rng: np.random.Generator, size: int) -> Picture:
    """Draw the surface of a made thing: mostly plain, sometimes textured."""
    if rng.random() < 0.6:
        return plain(rng, size, colour(rng, saturation=(0, 0.85), value=(0.1, 0.95)), rng.uniform(0, 0.05))
    name = pick(
        rng,
        ("wood", "leather", "coated", "brushed", "hammered", "stone", "felt", "rolled", "woven", "terrazzo"),
    )
    return TEXTURES[name](rng, size)


def backdrop(rng: np.random.Generator, size: int) -> Picture:
    """Draw what an object lies on: black, white, grey, or a quiet texture."""
    chance = rng.random()
    if chance < 0.3:
        return plain(rng, size, tinted((0.05, 0.05, 0.05), rng.uniform(0, 2)), 0.005)
    if chance < 0.55:
        return plain(rng, size, tinted((0.9, 0.9, 0.9), rng.uniform(0.8, 1.1)), 0.005)
    if chance < 0.8:
        return plain(rng, size, colour(rng, saturation=(0, 0.4), value=(0.1, 0.9)), rng.uniform(0, 0.03))
    return TEXTURES[pick(rng, ("paper", "noise", "rolled", "felt", "brushed", "woven", "concrete"))](
        rng, size
    )
