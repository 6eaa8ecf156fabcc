"""Physics: what the detector sees of the tissues, and how the picture is then shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from zerosight.synthesis.surfaces.fields import Plane, noise, smooth

Image8 = UInt8[np.ndarray, "size size"]

_COUNTS = 16383.0  # what the detector counts without a patient: 14 bit


@dataclass(frozen=True, slots=True)
class Exposure:
    """How one picture is taken and shown; nothing in it depends on findings.

    Attributes:
        dose: Photons per count of the detector.
        scatter: Share of the signal that is scattered.
        blur: Blur of the detector in pixels of a picture of 320.
        window: How far, in shares of the range of the tissues, black lies below and white above it.
        gamma: Above 1 for a darker picture.
        local: Strength of local contrast.
        margins: Share of the picture hidden by the collimator left, top, right and bottom.
        paper: Brightness of those margins, in [0, 1].
        marker: Letter on the picture, empty for none.
        place: Middle of the letter, across and down in shares of the picture.
        tint: Unevenness of the exposure.
    """

    dose: float
    scatter: float
    blur: float
    window: tuple[float, float]
    gamma: float
    local: float
    margins: tuple[float, float, float, float]
    paper: float
    marker: str
    place: tuple[float, float]
    tint: float


def draw_exposure(rng: np.random.Generator, supine: bool) -> Exposure:
    """Return how a picture is taken; a supine patient's scatters more and has no second marker side."""
    margins = rng.uniform(0.0, 0.05, 4) * (rng.random(4) < 0.35)
    left = bool(rng.random() < 0.3)
    letters = ("R", "R", "R", "R AP") if left else ("L", "L", "L", "L PA")
    marker = str(rng.choice(letters))
    if marker.endswith(("AP", "PA")):
        marker = f"{marker[0]} {'AP' if supine else 'PA'}"
    across = rng.uniform(0.06, 0.14) + 0.02 * (len(marker) - 1)
    return Exposure(
        dose=float(10 ** rng.uniform(-0.2, 0.9)),
        scatter=float(rng.uniform(0.10, 0.28)) + (0.08 if supine else 0.0),
        blur=float(rng.uniform(0.35, 0.9)),
        window=(float(rng.uniform(0.0, 0.32)), float(rng.uniform(-0.02, 0.18))),
        gamma=float(np.exp(rng.normal(0.0, 0.16))),
        local=float(rng.uniform(0.1, 0.9)),
        margins=(float(margins[0]), float(margins[1]), float(margins[2]), float(margins[3])),
        paper=float(rng.choice((0.0, 0.0, 0.0, 0.04, 0.97))),
        marker=marker if rng.random() < 0.75 else "",
        place=(float(across if left else 1 - across), float(rng.uniform(0.06, 0.20))),
        tint=float(rng.uniform(0.0, 0.08)),
    )


def expose(
    attenuation: Plane, exposure: Exposure, rng: np.random.Generator
) -> UInt8[np.ndarray, "size size"]:
    """Return the picture of the tissues, dense ones bright.

    Args:
        attenuation: Sum of the attenuation along each ray, at least 0.
        exposure: How the picture is taken.
        rng: Source of the noise.
    """
    size = attenuation.shape[0]
    even = 1 + np.float32(exposure.tint) * noise(rng, size, size)
    direct = np.exp(-attenuation) * np.float32(_COUNTS) * even
    share = np.float32(exposure.scatter)
    signal = smooth((1 - share) * direct, exposure.blur * size / 320) + share * smooth(direct, 0.09 * size)
    grain = np.sqrt(signal / np.float32(exposure.dose)) + np.float32(1.5)
    signal = signal + grain * rng.standard_normal(signal.shape, dtype=np.float32)
    density = -np.log(np.maximum(signal, 4.0) / np.float32(_COUNTS))
    density = density + np.float32(exposure.local) * (density - smooth(density, 0.05 * size))
    shown = _windowed(density, exposure)
    return _framed(shown, exposure)


def _windowed(density: Plane, exposure: Exposure) -> Plane:
    """Return values in [0, 1], the window set by the middle of the picture as an automatic exposure does."""
    cut = density.shape[0] // 10
    low, high = np.percentile(density[cut:-cut:2, cut:-cut:2], (2.0, 99.0))
    span = max(high - low, 0.2)
    low, high = low - exposure.window[0] * span, high + exposure.window[1] * span
    shown = np.clip((density - np.float32(low)) / np.float32(high - low), -1.0, 2.0)
    soft = 1 / (1 + np.exp((np.float32(0.5) - shown) * np.float32(4.0)))
    bent: Plane = np.clip((soft - np.float32(0.10)) / np.float32(0.80), 0, 1) ** np.float32(exposure.gamma)
    return bent


def _framed(shown: Plane, exposure: Exposure) -> Image8:
    """Return the picture with the collimator's margins and the marker."""
    size = shown.shape[0]
    image = Image.fromarray(np.round(shown * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    if exposure.marker:
        font = ImageFont.load_default(max(8.0, size * 0.045))
        place = (exposure.place[0] * size, exposure.place[1] * size)
        draw.text(place, exposure.marker, fill=240, font=font, anchor="mm")
    left, top, right, bottom = (round(margin * size) for margin in exposure.margins)
    paper = round(255 * exposure.paper)
    for box, there in (
        ((0, 0, left - 1, size), left),
        ((0, 0, size, top - 1), top),
        ((size - right, 0, size, size), right),
        ((0, size - bottom, size, size), bottom),
    ):
        if there:
            draw.rectangle(box, fill=paper)
    return np.asarray(image).copy()
