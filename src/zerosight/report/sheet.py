"""Sheet: a few images above their results, in one picture."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from zerosight.report.heatmap import outline, overlay
from zerosight.types import Prediction

GAP = 6
PAPER = (255, 255, 255)


def contact_sheet(found: Sequence[tuple[Image.Image, Prediction]], side: int = 240) -> Image.Image:
    """Return the images in a row, and below each its heatmap with the regions outlined.

    Args:
        found: Images and what was found in them.
        side: Width and height of one picture, in pixels.
    """
    sheet = Image.new("RGB", (len(found) * (side + GAP) - GAP, 2 * side + GAP), PAPER)
    for i, (image, result) in enumerate(found):
        photo = image.convert("RGB")
        below = overlay(photo, result.anomaly_map, result.pixel_threshold)
        below = outline(below, result.anomaly_map, result.pixel_threshold)
        for row, picture in enumerate((photo, below)):
            sheet.paste(picture.resize((side, side)), (i * (side + GAP), row * (side + GAP)))
    return sheet
