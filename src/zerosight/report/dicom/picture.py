"""The picture of a Secondary Capture: an X-ray with a map over it, and words above and below it.

All is in the pixels, so that no viewer can show the map without the notice. The words stand on strips of
their own and hide nothing of the image.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from zerosight.data.chest.names import NO_FINDING
from zerosight.report.findings import UNFAMILIAR
from zerosight.report.heatmap import overlay
from zerosight.types import MAP_THRESHOLD, FindingPrediction, FindingScore, map_name

NOTICE = "RESEARCH USE ONLY. Not a medical device, not for diagnosis."
LARGEST = 1024
"""Longest side of the X-ray in the picture, in pixels."""
MOST_WORDS = 8
"""Findings that are written down, the most probable first."""
_INK, _PAPER, _ALARM = (235, 235, 235), (0, 0, 0), (176, 0, 32)


def draw_capture(result: FindingPrediction, photo: Image.Image, model: str, finding: str = "") -> Image.Image:
    """Return an X-ray with the map of one finding over it, the notice above it and its findings below.

    Args:
        result: What was found.
        photo: The X-ray, at the size of the maps.
        model: The model's name.
        finding: Whose map to show; empty for none.
    """
    shown = overlay(photo, result.maps[map_name(finding)], MAP_THRESHOLD) if finding else photo.convert("RGB")
    shown.thumbnail((LARGEST, LARGEST))
    width = max(shown.width, 320)
    above = _strip([NOTICE], width, _ALARM)
    below = _strip([*_words(result, finding), f"zerosight, model {model}", *_limits(result)], width, _PAPER)
    picture = Image.new("RGB", (width, above.height + shown.height + below.height), _PAPER)
    picture.paste(above, (0, 0))
    picture.paste(shown, ((width - shown.width) // 2, above.height))
    picture.paste(below, (0, above.height + shown.height))
    return picture


def _words(result: FindingPrediction, finding: str) -> list[str]:
    """Return what is said of the image."""
    if result.is_familiar is False:
        return [f"This image is {UNFAMILIAR}: the model says nothing of it."]
    where = f"Colour: where the evidence for {finding} is, from {MAP_THRESHOLD:g} of 1 on"
    lines = [where] if finding else []
    first = sorted(result.findings, key=lambda one: (not one.is_present, one.name == NO_FINDING))
    lines += map(_line, first[:MOST_WORDS])
    more = len(result.findings) - MOST_WORDS
    return [*lines, f"and {more} more, in the report"] if more > 0 else lines


def _line(one: FindingScore) -> str:
    verdict = "at or above" if one.is_present else "below"
    return f"{one.name}: probability {one.probability:.2f}, {verdict} its threshold {one.threshold:.2f}"


def _limits(result: FindingPrediction) -> list[str]:
    return [f"Limitation: {result.limitation}"] if result.limitation else []


def _strip(lines: Sequence[str], width: int, ground: tuple[int, int, int]) -> Image.Image:
    """Return lines of text on a strip, broken where they are too wide."""
    size = max(12, width // 48)
    font = ImageFont.load_default(size=size)
    broken = [part for line in lines for part in _broken(line, font, width - size)]
    step = round(1.35 * size)
    strip = Image.new("RGB", (width, step * len(broken) + size // 2), ground)
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(broken):
        draw.text((size // 2, size // 4 + number * step), line, fill=_INK, font=font)
    return strip


def _broken(line: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Return a line as lines of at most a width, broken between words; a longer word stays whole."""
    lines = [""]
    for word in line.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
