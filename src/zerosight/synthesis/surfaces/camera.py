"""The camera: light, lens and file, so that pictures look taken and not drawn."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from zerosight.synthesis.surfaces.fields import Picture, Plane, coordinates, noise, smooth
from zerosight.synthesis.surfaces.masks import luma
from zerosight.synthesis.surfaces.shapes import pick


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """How one scene is taken; the same for a clean picture and its damaged twin.

    Attributes:
        colour: How much colour is kept, in [0, 1].
        gain: Contrast about ``level``.
        level: Brightness that the middle tone gets.
        cast: Factor per channel.
        gamma: Exponent on brightness.
        light: Illumination per pixel, about 1.
        blur: Width of the lens's blur in pixels.
        shrink: Factor of resolution lost.
        grain: Standard deviation of the sensor's noise.
        clump: Size of its grains in pixels.
        quality: JPEG quality of a first, poor file; None when there is none.
    """

    colour: float
    gain: float
    level: float
    cast: tuple[float, float, float]
    gamma: float
    light: Plane
    blur: float
    shrink: float
    grain: float
    clump: float
    quality: int | None


def _light(rng: np.random.Generator, size: int) -> Plane:
    """Return illumination: a gradient, a vignette, a soft shadow, a glare, or none."""
    light: Plane = np.ones((size, size), dtype=np.float32)
    x, y = coordinates(size, rng.uniform(0, 2 * math.pi))
    if rng.random() < 0.5:
        light += rng.uniform(0, 0.35) * x
    if rng.random() < 0.25:
        light *= 1 - rng.uniform(0.1, 0.5) * np.clip(np.hypot(x, y) - 0.3, 0, 1) ** 2
    if rng.random() < 0.25:
        light *= 1 + rng.uniform(0.03, 0.15) * noise(rng, size, size * rng.uniform(0.4, 1), 1)
    if rng.random() < 0.08:
        edge = x - rng.uniform(-0.6, 0.6) + 0.1 * noise(rng, size, size / 2, 1)
        light *= 1 - rng.uniform(0.1, 0.35) * np.clip(edge * rng.uniform(3, 15), 0, 1)
    return light


def draw_look(rng: np.random.Generator, size: int, family: str) -> Look:
    """Return a random look; pictures of anatomy keep their own light and mostly their greys."""
    medical, tissue = family == "anatomy", family == "tissue"
    level = rng.uniform(0.35, 0.62) if rng.random() < 0.75 else rng.uniform(0.15, 0.85)
    gain = rng.uniform(0.75, 1.25) if rng.random() < 0.7 else rng.uniform(0.35, 0.75)
    grey = rng.random() < (0.1 if tissue else 0.35)
    return Look(
        colour=0.0 if grey else rng.uniform(0.8 if tissue else 0.4, 1),
        gain=rng.uniform(0.8, 1.3) if medical or tissue else gain,
        level=0.5 if medical or tissue else level,
        cast=(1.0, 1.0, 1.0) if medical or grey else tuple(rng.normal(1, 0.05, 3).tolist()),
        gamma=math.exp(rng.normal(0, 0.18)),
        light=np.ones((size, size), dtype=np.float32) if medical else _light(rng, size),
        blur=rng.uniform(0, 1.6) if rng.random() < 0.5 else 0.0,
        shrink=rng.uniform(1, 2.2) if rng.random() < 0.3 else 1.0,
        grain=pick(rng, (0.0, rng.uniform(0, 0.02), rng.uniform(0.01, 0.06))),
        clump=pick(rng, (1.0, 1.0, rng.uniform(1, 2.5))),
        quality=int(rng.integers(25, 90)) if rng.random() < 0.35 else None,
    )


def develop(picture: Picture, look: Look, middle: float) -> Picture:
    """Return the picture as the lens and the light leave it, before noise.

    Args:
        picture: The scene.
        look: How it is taken.
        middle: Brightness of the scene that becomes ``look.level`` (of the clean scene, for a damaged one).
    """
    grey = luma(picture)[..., None]
    toned = grey + look.colour * (picture - grey)
    toned = (toned - middle) * look.gain + (
        middle + 0.5 * (look.level - middle) if look.level != 0.5 else middle
    )
    toned = toned * (look.light[..., None] * np.asarray(look.cast, dtype=np.float32))
    toned = np.clip(toned, 0, 1) ** look.gamma
    sigma = math.hypot(look.blur, 0.5 * (look.shrink - 1))
    if sigma > 0.3:
        toned = np.stack([smooth(np.ascontiguousarray(toned[..., k]), sigma) for k in range(3)], axis=2)
    return toned.astype(np.float32)


def expose(rng: np.random.Generator, picture: Picture, look: Look) -> UInt8[np.ndarray, "height width 3"]:
    """Return the picture with the sensor's noise and a poor file's artefacts, as bytes."""
    size = picture.shape[0]
    if look.grain > 0:
        field = noise(rng, size, look.clump, 1)[..., None]
        if look.colour > 0 and look.clump == 1.0:
            field = 0.7 * field + 0.5 * rng.standard_normal((size, size, 3), dtype=np.float32)
        picture = picture + look.grain * field
    image = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    if look.shrink > 1:
        small = max(16, round(size / look.shrink))
        image = image.resize((small, small), Image.Resampling.BILINEAR)
    if look.quality is not None:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=look.quality)
        image = Image.open(io.BytesIO(file.getvalue()))  # noqa: TID251  # our own
    if look.shrink > 1:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image.convert("RGB"))
