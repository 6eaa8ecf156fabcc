"""What a defect looks like: pictures to be laid over a base where the defect is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from zerosight.synthesis.surfaces.fields import Picture, Plane, noise, relief, smooth, spectral, unit, warped
from zerosight.synthesis.surfaces.materials import TEXTURES, Base, plain
from zerosight.synthesis.surfaces.shapes import pick
from zerosight.synthesis.surfaces.textures_natural import colour

Filling = Callable[[np.random.Generator, Base, Plane], Picture]


def _signed(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number of size ``low`` … ``high`` and of either sign, weaker ones more often."""
    return pick(rng, (-1.0, 1.0)) * math.exp(rng.uniform(math.log(low), math.log(high)))


def tone(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return the picture lighter or darker: oil, wear, burn, shade."""
    shift = _signed(rng, 0.08, 0.6)
    uneven = 1 + rng.uniform(0, 0.5) * noise(rng, alpha.shape[0], 12, 3)
    if rng.random() < 0.5:
        return base.picture * (1 + shift * uneven)[..., None]
    return base.picture + (shift * uneven)[..., None]


def tint(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return the picture discoloured: dye, rust, bruise."""
    strength = rng.uniform(0.25, 0.95)
    ink = np.asarray(colour(rng, saturation=(0.2, 1), value=(0.1, 1)), dtype=np.float32)
    if rng.random() < 0.5:
        return base.picture * (1 - strength + strength * ink * 1.3)
    return base.picture * (1 - strength) + ink * strength


def solid(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return a nearly even colour, often black or white: paint, dirt, chip, glue, exposed core."""
    choice = rng.random()
    grey = rng.uniform(0, 0.15) if choice < 0.35 else rng.uniform(0.85, 1)
    shade = (grey, grey, grey) if choice < 0.6 else colour(rng, saturation=(0, 0.8), value=(0.05, 1))
    return plain(rng, alpha.shape[0], shade, rng.uniform(0, 0.15))


def hole(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return a pit: dark floor, one bright and one dark rim."""
    deep = smooth(alpha, rng.uniform(1, 3))
    rim = relief(deep, rng.uniform(0, 6.28), rng.uniform(2, 6))
    floor = base.picture * rng.uniform(0.05, 0.5)
    return floor + (rng.uniform(0.1, 0.5) * rim)[..., None]


def bump(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return the same surface raised or dented, seen by its shading only."""
    size = alpha.shape[0]
    reach = math.sqrt(float(alpha.sum()) + 1)
    height = smooth(alpha, max(1.0, reach * rng.uniform(0.05, 0.25)))
    height = height * (1 + rng.uniform(0, 0.4) * noise(rng, size, max(4.0, reach / 3), 2))
    shade = relief(height.astype(np.float32), rng.uniform(0, 6.28), reach * rng.uniform(0.1, 0.4))
    gloss = np.clip(shade - 0.5, 0, 1) * rng.uniform(0, 1)
    return base.picture * (1 + rng.uniform(0.3, 0.8) * shade)[..., None] + gloss[..., None]


def texture(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return another texture, often in the brightness of the place."""
    size = alpha.shape[0]
    other = np.asarray(TEXTURES[pick(rng, sorted(TEXTURES))](rng, size), dtype=np.float32)
    if rng.random() < 0.6:
        weight = alpha / (alpha.sum() + 1e-6)
        here = (base.picture * weight[..., None]).sum((0, 1))
        other = (other - other.mean((0, 1))) * rng.uniform(0.4, 1.2) + here + np.float32(rng.normal(0, 0.08))
    return other


def cut(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return the picture itself, taken from elsewhere, turned or mirrored: cut and paste."""
    picture = np.rot90(base.picture, int(rng.integers(4)))
    picture = picture[::-1] if rng.random() < 0.5 else picture
    size = alpha.shape[0]
    shifted = np.roll(picture, [int(v) for v in rng.integers(size // 8, size - size // 8, 2)], (0, 1))
    return np.ascontiguousarray(shifted) * rng.uniform(0.75, 1.25) + rng.normal(0, 0.04)


def blurred(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return the picture without its detail: smear, wear, melt."""
    sigma = rng.uniform(2, 12)
    planes = [smooth(np.ascontiguousarray(base.picture[..., k]), sigma) for k in range(3)]
    return np.stack(planes, axis=2) + rng.normal(0, 0.04)


def grain(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return the picture roughened: corrosion, abrasion, crazing, pitting."""
    size = alpha.shape[0]
    field = (
        noise(rng, size, rng.uniform(1, 6), 2)
        if rng.random() < 0.6
        else spectral(rng, size, rng.uniform(0, 1))
    )
    if rng.random() < 0.4:
        field = np.sign(field - rng.uniform(-0.5, 1))
    return base.picture + (rng.uniform(0.08, 0.35) * field + rng.normal(0, 0.1))[..., None]


def ring(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return a dried stain: strongest along its edge."""
    inner = smooth(alpha, max(1.5, math.sqrt(float(alpha.sum()) + 1) * 0.06))
    edge = np.clip(4 * inner * (1 - inner), 0, 1)
    strength = rng.uniform(0, 0.3) + rng.uniform(0.3, 0.8) * edge
    ink = np.asarray(colour(rng, saturation=(0, 0.7), value=(0, 1)), dtype=np.float32)
    return base.picture + strength[..., None] * (ink - base.picture)


def contrast(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return the picture with its contrast raised, lost or turned over."""
    weight = alpha / (alpha.sum() + 1e-6)
    here = (base.picture * weight[..., None]).sum((0, 1))
    gain = pick(rng, (-1.0, 0.0, 0.2, 2.0, 3.0)) * rng.uniform(0.8, 1.2)
    return here + gain * (base.picture - here)


def missing(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return what lies behind the object, or black where nothing does: a piece has gone."""
    behind = ~base.foreground
    if behind.mean() < 0.03:
        return np.full_like(base.picture, rng.uniform(0, 0.15))
    ground = np.median(base.picture[behind][:: max(1, int(behind.sum()) // 999)], axis=0)
    return np.broadcast_to(ground, base.picture.shape) + 0.01 * noise(rng, alpha.shape[0], 6, 2)[..., None]


def moved(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return the picture bent: swirled, swollen, pinched, shifted or crumpled."""
    size = alpha.shape[0]
    weight = smooth(alpha, max(2.0, math.sqrt(float(alpha.sum()) + 1) * 0.12))
    mass = float(weight.sum()) + 1e-6
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    dx, dy = columns - float((weight * columns).sum()) / mass, rows - float((weight * rows).sum()) / mass
    kind, gain = int(rng.integers(4)), _signed(rng, 0.25, 1.0)
    if kind == 0:
        push = (-gain * 1.5 * dy, gain * 1.5 * dx)
    elif kind == 1:
        push = (gain * dx, gain * dy)
    elif kind == 2:
        reach = size * rng.uniform(0.03, 0.12)
        push = (np.full_like(dx, reach * pick(rng, (-1, 1))), np.full_like(dx, reach * rng.uniform(-1, 1)))
    else:
        strength, scale = size * rng.uniform(0.01, 0.05), size * rng.uniform(0.04, 0.15)
        push = (strength * noise(rng, size, scale), strength * noise(rng, size, scale))
    return warped(base.picture, (weight * push[0]).astype(np.float32), (weight * push[1]).astype(np.float32))


def lesion(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return a growth: uneven core, sometimes a bright rim around a dead centre."""
    size = alpha.shape[0]
    reach = math.sqrt(float(alpha.sum()) + 1)
    inner = np.clip(smooth(alpha, max(1.0, reach * rng.uniform(0.04, 0.12))) * 1.6 - 0.5, 0, 1)
    weight = alpha / (alpha.sum() + 1e-6)
    here = (base.picture * weight[..., None]).sum((0, 1))
    shift = _signed(rng, 0.12, 0.5)
    if here.mean() + shift > 1.05 or here.mean() + shift < 0.02:
        shift = -shift
    core = here + shift + rng.uniform(0.01, 0.1) * noise(rng, size, max(4.0, reach / 4), 3)[..., None]
    if rng.random() < 0.4:
        thin = np.clip(inner + 0.15 * noise(rng, size, max(4.0, reach / 4), 2), 0, 1)
        rim = np.clip(4 * thin * (1 - thin), 0, 1) ** rng.uniform(0.4, 1.2)
        patchy = np.clip(1 + rng.uniform(0, 0.7) * noise(rng, size, max(6.0, reach / 2), 2), 0, 1.5)
        dead = rng.uniform(0.2, 1.2) * shift * (1 if rng.random() < 0.7 else -0.5)
        core = core - dead * thin[..., None] + (abs(shift) * rng.uniform(0.3, 0.9) * rim * patchy)[..., None]
    detail = base.picture - here
    return (core + rng.uniform(0, 0.5) * detail).astype(np.float32)


def polyp(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return the same tissue risen into a dome, a little redder or paler, lit on one side, glossy."""
    size = alpha.shape[0]
    reach = math.sqrt(float(alpha.sum()) + 1)
    dome = np.sqrt(np.clip(smooth(alpha, reach * 0.18), 0, 1))
    dome = dome + rng.uniform(0, 0.1) * noise(rng, size, max(4.0, reach / 5), 2)
    shade = relief(dome.astype(np.float32), rng.uniform(0, 6.28), reach * rng.uniform(0.25, 0.6))
    hue = 1 + np.asarray(rng.normal(0, 0.12, 3), dtype=np.float32)
    weight = alpha / (alpha.sum() + 1e-6)
    here = (base.picture * weight[..., None]).sum((0, 1))
    flesh = here + rng.uniform(0.2, 1) * (base.picture - here) + 0.03 * noise(rng, size, 6, 3)[..., None]
    gloss = np.clip(shade * rng.uniform(0.8, 1.4) - 0.75, 0, 1) * rng.uniform(0, 2)
    crease = np.clip(4 * alpha * (1 - smooth(alpha, reach * 0.05)), 0, 1) * rng.uniform(0, 0.4)
    light = 1.08 + rng.uniform(0.2, 0.6) * shade - crease
    return flesh * hue * light[..., None] + gloss[..., None]


def mole(rng: np.random.Generator, base: Base, alpha: Plane) -> Picture:
    """Return pigment in several browns, denser towards the middle, over the grain of the skin."""
    size = alpha.shape[0]
    reach = math.sqrt(float(alpha.sum()) + 1)
    depth = smooth(alpha, reach * rng.uniform(0.05, 0.2)) * (
        1 + 0.4 * noise(rng, size, max(4.0, reach / 4), 4)
    )
    ink = np.asarray(colour(rng, (0.0, 0.1), (0.2, 0.8), (0.08, 0.55)), dtype=np.float32)
    strength = np.clip(depth * rng.uniform(0.4, 1.2), 0, 0.95)[..., None]
    blotch = unit(noise(rng, size, max(4.0, reach / 3), 3))[..., None] * rng.uniform(0, 0.25)
    return base.picture * (1 - strength) + strength * (ink + blotch * (base.picture - ink))


FILLINGS: Mapping[str, Filling] = MappingProxyType(
    {
        "tone": tone,
        "tint": tint,
        "solid": solid,
        "hole": hole,
        "bump": bump,
        "texture": texture,
        "cut": cut,
        "blurred": blurred,
        "grain": grain,
        "ring": ring,
        "contrast": contrast,
        "missing": missing,
        "moved": moved,
        "lesion": lesion,
        "polyp": polyp,
        "mole": mole,
    }
)
