"""Heatmaps: an anomaly map as colour, laid over its photo, or as thin outlines around what was found.

The colour scale is fixed, 0 to 1 for every image. A map stretched to its own minimum and maximum would make
every normal image look anomalous; here a normal image looks normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from zerosight.files import packaged
from zerosight.guarded.json import parse_json
from zerosight.types import Prediction, Region

COLOURS = "inferno.json"
"""Matplotlib's colour map: its lightness rises evenly, so it reads the same in print and to all eyes."""

_GAP, _PAPER = 6, (255, 255, 255)
_LINE = (255, 38, 84)
_HALO = (255, 255, 255)
_INK = (40, 40, 40)
_MAX_NUMBERS = 9
_MIN_SIDE_FOR_NUMBERS = 160
_AT_ONCE = 1 << 20  # pixels that are coloured at a time
_BLURRED = 4  # widths of a line that its blurred edge reaches, and more


def heatmap(anomaly_map: Float32[np.ndarray, "height width"]) -> Image.Image:
    """Return the map as colours on the fixed scale, black at 0 to pale yellow at 1.

    Args:
        anomaly_map: Anomaly probability per pixel; values outside [0, 1] are clipped to it.
    """
    return _coloured(Image.fromarray(_levels(anomaly_map)))


def overlay(
    image: Image.Image, anomaly_map: Float32[np.ndarray, "height width"], threshold: float
) -> Image.Image:
    """Return the photo with the heatmap over it: untouched where normal, coloured from near the threshold on.

    The colour's opacity is 0 up to half the threshold, 0.55 at the threshold and 0.85 at 1.

    Args:
        image: The photo, at the map's own size.
        anomaly_map: Anomaly probability per pixel, in [0, 1].
        threshold: Map values at or above it are anomalous, in [0, 1].
    """
    _check_same_size(image, anomaly_map)
    photo = image.convert("RGB")
    opacity = _opacity(threshold).tolist()
    step = max(1, _AT_ONCE // photo.width)
    for top in range(0, photo.height, step):
        levels = Image.fromarray(_levels(anomaly_map[top : top + step]))
        seen = levels.point(opacity)
        if box := seen.getbbox():
            photo.paste(_coloured(levels.crop(box)), (box[0], top + box[1]), seen.crop(box))
    return photo


def with_colour_bar(picture: Image.Image, threshold: float) -> Image.Image:
    """Return a heatmap with the colours of the scale beside it, from 0 below to 1 above.

    Args:
        picture: The heatmap, as :func:`heatmap` or :func:`overlay` makes it.
        threshold: Where to mark the bar, in [0, 1].
    """
    size = max(11, round((picture.width * picture.height) ** 0.5 / 28))
    font = ImageFont.load_default(size=size)
    wide, top = size, size
    tall = max(picture.height - 2 * top, 2 * size)
    sheet = Image.new("RGB", (picture.width + wide + 5 * size, max(picture.height, tall + 2 * top)), _PAPER)
    sheet.paste(picture.convert("RGB"))
    left = picture.width + size
    ramp = Image.fromarray(np.ascontiguousarray(_colours()[::-1, None]))
    sheet.paste(ramp.resize((wide, tall), Image.Resampling.BILINEAR), (left, top))
    draw = ImageDraw.Draw(sheet)

    def mark(value: float, text: str, colour: tuple[int, int, int], reach: int) -> None:
        y = top + round((1 - value) * (tall - 1))
        draw.line((left - reach, y, left + wide + size // 3, y), fill=colour, width=max(1, size // 8))
        draw.text((left + wide + size // 2, y), text, fill=colour, font=font, anchor="lm")

    room = 1.3 * size / tall
    for value in (0.0, 0.5, 1.0):
        if abs(value - threshold) > room:
            mark(value, f"{value:g}", _INK, 0)
    mark(threshold, f"{threshold:.2f}", _LINE, size // 3)
    return sheet


def outline(
    image: Image.Image,
    anomaly_map: Float32[np.ndarray, "height width"],
    threshold: float,
    regions: Sequence[Region] = (),
) -> Image.Image:
    """Return the photo with a thin line around every region: red between white, so it shows on any ground.

    The line runs just outside the region, hides nothing of it, and grows with the image. A photo that is
    one region from edge to edge has no outside, and no line.

    Args:
        image: The photo, at the map's own size.
        anomaly_map: Anomaly probability per pixel, in [0, 1].
        threshold: Map values at or above it belong to a region, in [0, 1].
        regions: Regions to number 1 to 9 in this order; images too small to carry numbers get none.
    """
    _check_same_size(image, anomaly_map)
    photo = image.convert("RGB")
    inside = anomaly_map >= threshold
    if not inside.any() or inside.all():
        return photo
    from scipy.ndimage import maximum_filter

    width = max(1.5, (image.width * image.height) ** 0.5 / 320)
    reach = round(1.5 * width)
    left, top, right, bottom = _around(inside, reach + ceil(_BLURRED * width))
    grown = maximum_filter(inside[top:bottom, left:right].view(np.uint8), size=2 * reach + 1)
    del inside
    grown *= 255
    soft = Image.fromarray(grown).filter(ImageFilter.GaussianBlur(width))
    photo.paste(_HALO, (left, top, right, bottom), soft.point(_band(width, 1.0)))
    photo.paste(_LINE, (left, top, right, bottom), soft.point(_band(width, 0.5)))
    if min(image.size) >= _MIN_SIDE_FOR_NUMBERS:
        _number(photo, regions, width)
    return photo


def contact_sheet(found: Sequence[tuple[Image.Image, Prediction]], side: int = 240) -> Image.Image:
    """Return the images in a row, and below each its heatmap with the regions outlined.

    Args:
        found: Images and what was found in them.
        side: Width and height of one picture, in pixels.
    """
    sheet = Image.new("RGB", (len(found) * (side + _GAP) - _GAP, 2 * side + _GAP), _PAPER)
    for i, (image, result) in enumerate(found):
        photo = image.convert("RGB")
        below = overlay(photo, result.anomaly_map, result.pixel_threshold)
        below = outline(below, result.anomaly_map, result.pixel_threshold)
        for row, picture in enumerate((photo, below)):
            sheet.paste(picture.resize((side, side)), (i * (side + _GAP), row * (side + _GAP)))
    return sheet


def comparison_sheet(
    photos: Sequence[Image.Image], rows: Sequence[tuple[str, Sequence[Prediction]]], side: int = 240
) -> Image.Image:
    """Return images in a row, and below them a row of heatmaps with a caption per model.

    Args:
        photos: The images.
        rows: Captions, and what was found in the images, in their order.
        side: Width and height of one picture, in pixels.
    """
    line = side // 8
    width = len(photos) * (side + _GAP) - _GAP
    sheet = Image.new("RGB", (width, side + len(rows) * (side + line)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=0.7 * line)
    for i, photo in enumerate(photos):
        sheet.paste(photo.convert("RGB").resize((side, side)), (i * (side + _GAP), 0))
    for number, (caption, found) in enumerate(rows):
        top = side + number * (side + line)
        draw.text((2, top + line / 2), caption, fill=(0, 0, 0), font=font, anchor="lm")
        for i, (photo, result) in enumerate(zip(photos, found, strict=True)):
            below = overlay(photo, result.anomaly_map, result.pixel_threshold)
            below = outline(below, result.anomaly_map, result.pixel_threshold)
            sheet.paste(below.resize((side, side)), (i * (side + _GAP), top + line))
    return sheet


def side_by_side(left: Image.Image, right: Image.Image, side: int = 240) -> Image.Image:
    """Return two pictures beside each other.

    Args:
        left: A picture.
        right: Another.
        side: Width and height that each gets, in pixels.
    """
    sheet = Image.new("RGB", (2 * side + _GAP, side), _PAPER)
    for i, picture in enumerate((left, right)):
        sheet.paste(picture.convert("RGB").resize((side, side)), (i * (side + _GAP), 0))
    return sheet


def _around(inside: Bool[np.ndarray, "height width"], margin: int) -> tuple[int, int, int, int]:
    """Return the box of what is inside, which is not nothing, and a margin around it, within the image."""
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    height, width = inside.shape
    left, top = max(0, int(columns[0]) - margin), max(0, int(rows[0]) - margin)
    right, bottom = int(columns[-1]) + 1 + margin, int(rows[-1]) + 1 + margin
    return left, top, min(right, width), min(bottom, height)


def _band(width: float, reach: float) -> list[int]:
    """Return the opacity, per level of a blurred edge, of a line that reaches so many widths to each side.

    An edge blurred by a Gaussian of deviation ``width`` is its cumulative distribution, so a level tells
    the distance to the edge. The line fades over one pixel.
    """
    from scipy.special import ndtr

    distance = np.linspace(-4, 4, 4001) * width  # in pixels, from outside to inside
    opacity = np.clip(reach * width + 0.5 - np.abs(distance), 0, 1)
    per_level = np.interp(np.arange(256) / 255, ndtr(distance / width), opacity)
    return np.rint(255 * per_level).astype(int).tolist()


def _number(photo: Image.Image, regions: Sequence[Region], width: float) -> None:
    """Write each region's number at its top left corner, inside the photo."""
    draw = ImageDraw.Draw(photo)
    font = ImageFont.load_default(size=max(11.0, 7 * width))
    gap = round(2.5 * width)
    for number, region in enumerate(regions[:_MAX_NUMBERS], start=1):
        left, top, right, bottom = draw.textbbox((0, 0), str(number), font=font)
        tall = bottom - top + gap
        wide = max(right - left + gap, tall)
        x = min(max(region.box[0] - gap, 0), photo.width - wide)
        y = region.box[1] - tall - gap
        y = y if y >= 0 else min(region.box[3] + gap, photo.height - tall)
        draw.rounded_rectangle((x, y, x + wide, y + tall), radius=width * 1.5, fill=_LINE)
        draw.text((x + wide / 2, y + tall / 2), str(number), fill=_HALO, font=font, anchor="mm")


def _levels(anomaly_map: Float32[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Return the values as the nearest of 0…255."""
    values = np.fmax(anomaly_map, np.float32(0))  # also of what is no number
    np.minimum(values, 1, out=values)
    values *= 255
    return np.rint(values, out=values).astype(np.uint8)


def _coloured(levels: Image.Image) -> Image.Image:
    """Return grey levels as their colours."""
    picture = levels.copy()
    picture.putpalette(_colours().tobytes())
    return picture.convert("RGB")


@cache
def _colours() -> UInt8[np.ndarray, "256 3"]:
    """Return the colour of each level."""
    colours = parse_json(packaged("report", COLOURS).read_bytes())["colours"]
    return np.array([list(bytes.fromhex(colour)) for colour in colours], np.uint8)


def _opacity(threshold: float) -> UInt8[np.ndarray, "256"]:
    """Return the opacity of each level, a smooth step up to the threshold and a slope above it."""
    value = np.arange(256) / 255
    threshold = min(max(threshold, 1e-3), 1 - 1e-3)
    rise = np.clip(2 * value / threshold - 1, 0, 1)
    above = np.clip((value - threshold) / (1 - threshold), 0, 1)
    return np.rint(255 * (0.55 * rise**2 * (3 - 2 * rise) + 0.3 * above)).astype(np.uint8)


def _check_same_size(image: Image.Image, anomaly_map: Float32[np.ndarray, "height width"]) -> None:
    """Refuse a map of another size than its image."""
    if anomaly_map.shape != (image.height, image.width):
        raise ValueError(f"map of {anomaly_map.shape} for an image of {(image.height, image.width)}")
