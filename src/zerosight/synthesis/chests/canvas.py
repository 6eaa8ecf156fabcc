"""Canvas: where the body lies on the picture, and how outlines and lines of the body become planes.

Body coordinates: x from -1 (the patient's right, at the left of the picture) to 1, y from -1 (neck) to 1
(abdomen); one unit is about 20 cm. Planes have axes (height, width).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw
from scipy import ndimage

from zerosight.synthesis.surfaces.fields import Plane, Real, resize

Points = Float[np.ndarray, "_ 2"]
Pair = Sequence[Real] | Float[np.ndarray, "2"]

_FINE = 2  # outlines are drawn this many times larger and averaged down


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The picture plane with the patient placed on it.

    Attributes:
        size: Height and width in pixels.
        turn: Rotation of the patient in radians.
        zoom: Size of the patient; at 1 the body's square fills the picture.
        shift: Where the body's origin lies, right and down of the middle, in half pictures.
        x: Body coordinate across, per pixel.
        y: Body coordinate down, per pixel.
    """

    size: int
    turn: float
    zoom: float
    shift: tuple[float, float]
    x: Plane
    y: Plane

    def pixels(self, points: Points) -> Points:
        """Return where body points lie, in pixels across and down."""
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        turned = points @ np.array([[cos, sin], [-sin, cos]])
        placed: Points = (turned * self.zoom + np.array(self.shift) + 1.0) * (self.size / 2)
        return placed

    def length(self, units: Real) -> float:
        """Return a length of the body in pixels."""
        return float(units) * self.zoom * self.size / 2

    def area(self, outline: Points) -> Plane:
        """Return how much of each pixel lies within an outline, in [0, 1]."""
        return self.areas([outline])

    def areas(self, outlines: Sequence[Points], fill: float = 1.0, edge: float = 0.0) -> Plane:
        """Return outlines drawn into one plane, values in [0, 1].

        Args:
            outlines: Closed outlines.
            fill: Value within them.
            edge: Value of their rim, one pixel wide; 0 for none.
        """
        image, draw = self._sheet()
        width = max(1, round(self._fine / 200))
        for outline in outlines:
            corners = self._fine_pixels(outline)
            draw.polygon(corners, fill=round(255 * fill))
            if edge:
                draw.line([*corners, corners[0]], fill=round(255 * edge), width=width)
        return _averaged(image)

    def lines(self, paths: Sequence[Points], widths: Sequence[Real], values: Sequence[Real]) -> Plane:
        """Return open paths drawn one after another into one plane, values in [0, 1].

        Args:
            paths: Points of each path.
            widths: Their widths, in units of the body.
            values: Their values, in [0, 1].
        """
        image, draw = self._sheet()
        placed = self._fine_pixels(np.concatenate(paths)) if paths else []
        start = 0
        for path, width, value in zip(paths, widths, values, strict=True):
            pixels = max(1, round(self.length(width) * _FINE))
            joint = "curve" if pixels > 3 else None
            end = start + len(path)
            draw.line(placed[start:end], fill=round(255 * value), width=pixels, joint=joint)
            start = end
        return _averaged(image)

    def blob(self, centre: Pair, radius: Pair, angle: Real = 0.0) -> Plane:
        """Return a Gaussian of height 1 with the given standard deviations across and down."""
        plane = np.zeros_like(self.x)
        box = self._box(centre, 4 * max(float(radius[0]), float(radius[1])))
        plane[box] = np.exp(np.float32(-0.5) * _ellipse(self.x[box], self.y[box], centre, radius, angle))
        return plane

    def ellipse(self, centre: Pair, radius: Pair) -> Plane:
        """Return the squared distance from a centre in radii: 1 on the ellipse."""
        return _ellipse(self.x, self.y, centre, radius, 0.0)

    def _box(self, centre: Pair, reach: float) -> tuple[slice, slice]:
        """Return the rows and columns within a distance of a point."""
        x, y = self.pixels(np.asarray([centre], dtype=np.float64))[0]
        far = self.length(reach) + 1
        left, top = max(0, int(x - far)), max(0, int(y - far))
        return slice(top, max(top, int(y + far))), slice(left, max(left, int(x + far)))

    @property
    def _fine(self) -> int:
        return self.size * _FINE

    def _sheet(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        image = Image.new("L", (self._fine, self._fine))
        return image, ImageDraw.Draw(image)

    def _fine_pixels(self, points: Points) -> list[tuple[float, float]]:
        return [(x, y) for x, y in (self.pixels(points) * _FINE - 0.5).tolist()]


def make_canvas(size: int, turn: Real = 0.0, zoom: Real = 1.0, shift: Sequence[Real] = (0.0, 0.0)) -> Canvas:
    """Return the canvas of a patient placed as described in :class:`Canvas`."""
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0).astype(np.float32)
    across, down = axis[None, :] - np.float32(shift[0]), axis[:, None] - np.float32(shift[1])
    cos, sin = np.float32(math.cos(turn) / zoom), np.float32(math.sin(turn) / zoom)
    x, y = cos * across + sin * down, cos * down - sin * across
    return Canvas(size, float(turn), float(zoom), (float(shift[0]), float(shift[1])), x, y)


def rounded(points: Sequence[Sequence[Real]] | Points, closed: bool = True, times: int = 3) -> Points:
    """Return a path with its corners cut, which makes it smooth; a corner given twice stays sharper.

    Args:
        points: Corners (x, y).
        closed: Whether the last joins the first; the ends of an open path stay where they are.
        times: How often corners are cut.

    Source: Chaikin 1974, An algorithm for high-speed curve generation.
    """
    path = np.asarray(points, dtype=np.float64)
    for _ in range(times):
        start = path if closed else path[:-1]
        end = np.roll(path, -1, axis=0) if closed else path[1:]
        cut = np.stack([0.75 * start + 0.25 * end, 0.25 * start + 0.75 * end], axis=1).reshape(-1, 2)
        path = cut if closed else np.concatenate([path[:1], cut, path[-1:]])
    return path


def ribbon(path: Points, half_width: Float[np.ndarray, "_"]) -> Points:
    """Return the outline of a path that is ``half_width`` wide to each side."""
    step = np.gradient(path, axis=0)
    normal = np.stack([-step[:, 1], step[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    offset = normal * half_width[:, None]
    return np.concatenate([path + offset, (path - offset)[::-1]])


def inwards(area: Plane | Bool[np.ndarray, "height width"], reach: Real, factor: int = 2) -> Plane:
    """Return the distance from the outside as a share of ``reach`` pixels, in [0, 1].

    Args:
        area: Above one half within.
        reach: Distance in pixels at which 1 is reached.
        factor: How many times coarser the distance is measured.
    """
    height, width = area.shape
    inside = np.asarray(area)[factor // 2 :: factor, factor // 2 :: factor] > 0.5
    distance = ndimage.distance_transform_edt(inside).astype(np.float32) * np.float32(factor / max(reach, 1))
    return np.clip(resize(distance, (height, width)), 0, 1)


def _ellipse(x: Plane, y: Plane, centre: Pair, radius: Pair, angle: Real) -> Plane:
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    right, down = x - np.float32(centre[0]), y - np.float32(centre[1])
    across = (cos * right + sin * down) / np.float32(radius[0])
    along = (cos * down - sin * right) / np.float32(radius[1])
    return across**2 + along**2


def _averaged(image: Image.Image) -> Plane:
    return np.asarray(image.reduce(_FINE), dtype=np.float32) / np.float32(255)
