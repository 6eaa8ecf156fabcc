"""Defects: an outline, a filling and a place, as suits the family of the base."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from zerosight.synthesis.surfaces.fields import Plane, Real, over, smooth
from zerosight.synthesis.surfaces.fillings import FILLINGS
from zerosight.synthesis.surfaces.materials import Base
from zerosight.synthesis.surfaces.regions import REGIONS, Point, site
from zerosight.synthesis.surfaces.shapes import pick

Weights = Mapping[str, Real]

_LINES = frozenset({"scratch", "crack", "fibre", "band"})

_LINE_FILLINGS: Weights = {
    "tone": 3,
    "solid": 4,
    "hole": 2,
    "tint": 1,
    "bump": 1,
    "texture": 0.5,
    "blurred": 0.5,
}

_AREA_FILLINGS: Weights = {
    "tone": 3,
    "tint": 2,
    "solid": 3,
    "hole": 2,
    "bump": 2,
    "texture": 3,
    "cut": 3,
    "blurred": 1.5,
    "grain": 2,
    "ring": 1,
    "contrast": 1.5,
    "missing": 2,
    "moved": 2,
    "lesion": 1,
}

_ANATOMY_FILLINGS: Weights = {
    "lesion": 8,
    "tone": 2.5,
    "texture": 0.5,
    "blurred": 0.5,
    "moved": 0.7,
    "solid": 1.2,
    "grain": 0.4,
}

_TISSUE_FILLINGS: Weights = {
    "polyp": 4,
    "mole": 4,
    "lesion": 2,
    "tone": 1.5,
    "tint": 1.5,
    "bump": 1,
    "texture": 1,
    "moved": 0.5,
}

_REGION_WEIGHTS: Mapping[str, Weights] = MappingProxyType(
    {
        "made": {
            "blob": 5,
            "patch": 1.2,
            "growth": 0.4,
            "cloud": 3,
            "scratch": 2.5,
            "crack": 2,
            "fibre": 0.8,
            "spots": 1.2,
            "band": 0.8,
        },
        "anatomy": {"blob": 6, "growth": 4, "cloud": 2, "spots": 0.6, "scratch": 0.2, "crack": 0.2},
        "tissue": {"blob": 7, "growth": 1, "cloud": 2, "spots": 0.5, "scratch": 0.3},
    }
)

_LIVING = frozenset({"anatomy", "tissue"})


def _weighted(rng: np.random.Generator, weights: Weights) -> str:
    """Return a name, with chance in proportion to its weight."""
    bounds = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(bounds, rng.random() * bounds[-1], "right"))]


def _radius(rng: np.random.Generator, region: str, size: int, living: bool) -> float:
    """Return a radius in half pictures: two thirds log-uniform from the smallest seen, the others large.

    Real sets have both: blowholes of a few pixels, and stains and wear over a tenth of the picture.
    """
    if region in _LINES:
        return math.exp(rng.uniform(math.log(0.06), math.log(0.7)))
    smallest = 2.5 / size * 2 if not living else 0.06
    low = smallest if rng.random() < 0.65 else 0.22
    if rng.random() < (0.45 if living else 0.3):
        return rng.uniform(0.2, 0.62)
    return math.exp(rng.uniform(math.log(low), math.log(0.5)))


def _reach(base: Base, radius: float) -> float:
    """Return the radius made no larger than suits a small foreground."""
    share = math.sqrt(float(base.foreground.mean()))
    return min(radius, max(0.05, share * 0.62))


def _kept_inside(rng: np.random.Generator, base: Base, alpha: Plane, living: bool) -> Plane:
    """Return the opacity faded out beyond the foreground, except for things that stick out of it."""
    if base.foreground.all() or (not living and rng.random() < 0.12):
        return alpha
    return alpha * np.clip(smooth(base.foreground.astype(np.float32), 2.0) * 2 - 0.3, 0, 1)


def _is_grey(base: Base) -> bool:
    """Return whether a picture has no colour, so that a coloured defect would betray itself."""
    sample = base.picture[::7, ::7]
    return bool(np.abs(sample[..., 0] - sample[..., 2]).mean() < 0.01)


def damage(rng: np.random.Generator, base: Base, family: str) -> tuple[Base, Plane, str]:
    """Return the base with one more defect, the defect's opacity, and its name such as ``scratch/solid``."""
    living = family in _LIVING
    region = _weighted(rng, _REGION_WEIGHTS[family if living else "made"])
    fillings = _LINE_FILLINGS if region in _LINES else _AREA_FILLINGS
    if living and region not in _LINES:
        fillings = _ANATOMY_FILLINGS if family == "anatomy" else _TISSUE_FILLINGS
    filling = _weighted(rng, fillings)
    size = base.picture.shape[0]
    radius = _reach(base, _radius(rng, region, size, living))
    centre: Point = site(rng, base, 0.25 if living and rng.random() < 0.4 else math.inf)
    alpha = _kept_inside(rng, base, REGIONS[region](rng, size, centre, radius), living)
    if filling in ("polyp", "bump"):
        alpha = smooth(alpha, rng.uniform(0.5, 2))
    if alpha.sum() < 3:
        return base, alpha, f"{region}/{filling}"
    above = np.asarray(FILLINGS[filling](rng, base, alpha), dtype=np.float32)
    if _is_grey(base):
        above = np.repeat(above.mean(axis=2, keepdims=True), 3, axis=2)
    blend = (
        alpha
        if filling in ("bump", "moved", "polyp", "hole")
        else alpha * pick(rng, (1.0, 1.0, rng.uniform(0.3, 1)))
    )
    if filling == "moved":
        blend = np.clip(smooth(alpha, 3) * 4, 0, 1)
    picture = np.clip(over(base.picture, blend.astype(np.float32), above), 0, 1)
    return Base(picture, base.foreground), np.maximum(blend, alpha).astype(np.float32), f"{region}/{filling}"


def struck(rng: np.random.Generator, base: Base) -> tuple[Base, Plane, str]:
    """Return the base with a patch turned to black or white, whichever is farther: seen on any base."""
    size = base.picture.shape[0]
    alpha = REGIONS["blob"](rng, size, site(rng, base), rng.uniform(0.12, 0.3))
    weight = alpha / (alpha.sum() + np.float32(1e-6))
    ink = 0.0 if float((base.picture.mean(axis=2) * weight).sum()) > 0.5 else 1.0
    picture = over(base.picture, alpha, (ink, ink, ink))
    return Base(picture, base.foreground), alpha, "blob/struck"
