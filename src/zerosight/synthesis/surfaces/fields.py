"""Random scalar fields: the clay of which every procedural image is made.

Axes are (height, width). A seeded ``numpy.random.Generator`` is the only source of chance, so the same
generator state gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy import ndimage

Real = float | int
Plane = Float[np.ndarray, "height width"]
Range = tuple[Real, Real]
Picture = Float[np.ndarray, "height width 3"]


def coordinates(size: int, angle: Real = 0.0) -> tuple[Plane, Plane]:
    """Return x and y of every pixel centre, in [-1, 1] before the turn by ``angle`` radians."""
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    cos, sin = math.cos(angle), math.sin(angle)
    return cos * x + sin * y, cos * y - sin * x


def resize(
    plane: Plane, size: tuple[int, int], box: tuple[Real, Real, Real, Real] | None = None
) -> Float[np.ndarray, "new_height new_width"]:
    """Return the plane (or the ``box`` left, top, right, bottom of it) as (height, width) by cubic steps."""
    image = Image.fromarray(np.asarray(plane, dtype=np.float32)).resize(
        (size[1], size[0]), Image.Resampling.BICUBIC, box=box
    )
    return np.asarray(image, dtype=np.float32)


def smooth(plane: Plane, sigma: Real) -> Plane:
    """Return the plane blurred by a Gaussian of ``sigma`` pixels; wide ones work on a smaller plane."""
    if sigma < 0.3:
        return plane
    height, width = plane.shape
    factor = max(1, int(sigma / 2.5))
    if factor == 1 or min(height, width) < 8 * factor:
        return ndimage.gaussian_filter(plane, sigma, truncate=3.0, mode="nearest")
    small = resize(plane, (height // factor, width // factor))
    return resize(ndimage.gaussian_filter(small, sigma / factor, truncate=3.0, mode="nearest"), plane.shape)


def standardised(plane: Plane) -> Plane:
    """Return the plane with mean 0 and standard deviation 1."""
    return (plane - plane.mean()) / (plane.std() + np.float32(1e-6))


def unit(plane: Plane) -> Plane:
    """Return the plane stretched to [0, 1]."""
    low, high = plane.min(), plane.max()
    return (plane - low) / (high - low + np.float32(1e-6))


def noise(
    rng: np.random.Generator, size: int, scale: Real, octaves: int = 1, stretch: Range = (1, 1)
) -> Plane:
    """Return smooth noise of mean 0 and standard deviation 1.

    Args:
        rng: Source of chance.
        size: Side of the plane in pixels.
        scale: Size of the largest features in pixels.
        octaves: How many times finer noise of half the strength is added.
        stretch: Factors on the scale down and across, for grain that runs one way.
    """
    total = np.zeros((size, size), dtype=np.float32)
    for octave in range(octaves):
        step = [max(1.0, scale * factor / 2**octave) for factor in stretch]
        cells = [size / s for s in step]
        shape = [math.ceil(c) + 4 for c in cells]
        grid = rng.standard_normal(shape, dtype=np.float32)
        top, left = 1 + rng.random(), 1 + rng.random()
        box = (left, top, left + cells[1], top + cells[0])
        total += resize(grid, (size, size), box) * (0.5**octave)
    return standardised(total)


def spectral(rng: np.random.Generator, size: int, slope: Real) -> Plane:
    """Return noise whose amplitude falls as frequency to the power ``-slope`` (0 is white, 1.5 cloudy)."""
    white = np.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    rows = np.fft.fftfreq(size).astype(np.float32)[:, None]
    columns = np.fft.rfftfreq(size).astype(np.float32)[None, :]
    radius = np.sqrt(rows**2 + columns**2)
    radius[0, 0] = 1.0
    return standardised(np.fft.irfft2(white * radius**-slope, s=(size, size)).astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A plane cut into cells.

    Attributes:
        edge: Distance to the nearest border, in cells; 0 on the border.
        centre: Distance to the cell's own seed, in cells.
        tone: One random number in [0, 1) per cell.
    """

    edge: Plane
    centre: Plane
    tone: Plane


def cells(
    rng: np.random.Generator, size: int, spacing: Real, jitter: Real = 1.0, warp_by: Real = 0.0
) -> Cells:
    """Return Voronoi cells about ``spacing`` pixels wide around the nodes of a jittered lattice.

    Args:
        rng: Source of chance.
        size: Side in pixels.
        spacing: Width of a cell in pixels.
        jitter: 0 gives squares, 1 fully irregular cells.
        warp_by: How far cell borders wave, in cells.
    """
    work = size if spacing < 14 else max(size // 2, 8)
    count = math.ceil(size / spacing) + 4
    seeds = rng.random((count, count, 2), dtype=np.float32) * jitter + (1 - jitter) / 2
    tones = rng.random((count, count), dtype=np.float32)
    axis = np.arange(work, dtype=np.float32) * np.float32(size / work / spacing) + 1.5
    x, y = np.meshgrid(axis, axis)
    if warp_by:
        x = x + warp_by * noise(rng, work, work / size * spacing * 1.5)
        y = y + warp_by * noise(rng, work, work / size * spacing * 1.5)
    x, y = np.clip(x, 1, count - 1.01), np.clip(y, 1, count - 1.01)
    column, row = x.astype(np.int32), y.astype(np.int32)
    first = np.full((work, work), 9.0, dtype=np.float32)
    second, tone = first.copy(), np.zeros((work, work), dtype=np.float32)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            r, c = np.clip(row + down, 0, count - 1), np.clip(column + across, 0, count - 1)
            seed = seeds[r, c]
            distance = np.hypot(x - c - seed[..., 0], y - r - seed[..., 1])
            nearer = distance < first
            second = np.where(nearer, first, np.minimum(second, distance))
            tone = np.where(nearer, tones[r, c], tone)
            first = np.where(nearer, distance, first)
    edge = np.maximum(second - first, 0)
    if work == size:
        return Cells(edge, first, tone)
    rows = np.minimum(np.arange(size) * work // size, work - 1)
    return Cells(resize(edge, (size, size)), resize(first, (size, size)), tone[rows][:, rows])


def warped(picture: Float[np.ndarray, "height width ..."], dx: Plane, dy: Plane) -> Float[np.ndarray, "..."]:
    """Return the plane or picture with pixel (y, x) taken from (y + dy, x + dx), in pixels."""
    height, width = dx.shape
    rows = np.arange(height, dtype=np.float32)[:, None] + dy
    columns = np.arange(width, dtype=np.float32)[None, :] + dx
    planes = picture[..., None] if picture.ndim == 2 else picture
    moved = [
        ndimage.map_coordinates(planes[..., k], (rows, columns), order=1, mode="reflect")
        for k in range(planes.shape[2])
    ]
    return moved[0] if picture.ndim == 2 else np.stack(moved, axis=2)


def relief(height: Plane, angle: Real, depth: Real) -> Plane:
    """Return the change of brightness, around 0, of a surface lit from ``angle`` radians."""
    down, across = np.gradient(height)
    return np.tanh(depth * (math.cos(angle) * across + math.sin(angle) * down))


def coloured(value: Plane, colours: Sequence[Sequence[Real]]) -> Picture:
    """Return values in [0, 1] as colours, evenly spaced along ``colours`` (each red, green, blue)."""
    stops = np.linspace(0, 1, len(colours))
    table = np.asarray(colours, dtype=np.float32)
    fine = np.stack([np.interp(np.linspace(0, 1, 256), stops, table[:, k]) for k in range(3)], axis=1)
    index = np.clip(value * 255, 0, 255).astype(np.uint8)
    return fine.astype(np.float32)[index]


def over(below: Picture, alpha: Plane, above: Picture | Sequence[Real]) -> Picture:
    """Return ``above`` (a picture or one colour) laid over ``below`` with opacity ``alpha``."""
    top = np.asarray(above, dtype=np.float32)
    return below + alpha[..., None] * (top - below)
