"""Showing: results as pictures, in notebooks and on disk.

:class:`~zerosight.types.Prediction` and :class:`~zerosight.types.FindingPrediction` offer these functions as
methods of their own; they lie here because drawing lies above the types.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32
from PIL import Image

from zerosight.data.chest.names import NO_FINDING
from zerosight.data.pixels import read_image
from zerosight.errors import ConfigError, ImageReadError, MissingExtraError, did_you_mean, one_line
from zerosight.report.findings import FindingFormat
from zerosight.report.heatmap import heatmap, outline, overlay
from zerosight.report.page import data_uri
from zerosight.report.writer import ResultWriter
from zerosight.stores import place
from zerosight.types import MAP_THRESHOLD, UNLIKE, FindingPrediction, Prediction, map_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THUMBNAIL_SIDE = 320
MOST_LISTED = 8
"""Findings that a notebook lists, the most probable first."""


def photo_of(result: Prediction | FindingPrediction) -> Image.Image:
    """Return the image that a result is about, in RGB, as it was scored.

    Raises:
        ImageReadError: The file is no longer there, cannot be read, or holds an image of another size.
    """
    photo = (read_image(place(result.source)) if result.image is None else result.image).convert("RGB")
    shapes = [result.anomaly_map.shape] if isinstance(result, Prediction) else _shapes(result)
    if any(shape != (photo.height, photo.width) for shape in shapes):
        raise ImageReadError(f"{result.source}: is {photo.width} x {photo.height} by now; predict it again")
    return photo


def anomaly_heatmap(result: Prediction) -> Image.Image:
    """Return the map as colours."""
    return heatmap(result.anomaly_map)


def anomaly_overlay(result: Prediction) -> Image.Image:
    """Return the image with the map over it."""
    return overlay(photo_of(result), result.anomaly_map, result.pixel_threshold)


def anomaly_outline(result: Prediction) -> Image.Image:
    """Return the image with a line around every region."""
    return outline(photo_of(result), result.anomaly_map, result.pixel_threshold, result.regions)


def finding_heatmap(result: FindingPrediction, name: str | None) -> Image.Image:
    """Return a map as colours; None takes the most probable finding that has one."""
    return heatmap(_map_of(result, name))


def finding_overlay(result: FindingPrediction, name: str | None) -> Image.Image:
    """Return the image with a map over it; None takes the most probable finding that has one."""
    return overlay(photo_of(result), _map_of(result, name), MAP_THRESHOLD)


def plot_anomaly(result: Prediction, ax: Axes | None) -> Axes:
    """Draw the overlay, the boxes of the regions and a line of what was found."""
    picture = anomaly_overlay(result)
    ax = _axes(ax)
    ax.imshow(np.asarray(picture))
    for number, region in enumerate(result.regions, start=1):
        left, top, right, bottom = region.box
        corners = ([left, right, right, left, left], [top, top, bottom, bottom, top])
        ax.plot(*(np.array(line) - 0.5 for line in corners), color="#ff2654", linewidth=1)
        ax.annotate(str(number), (left, top), color="#ff2654", va="bottom")
    ax.set_axis_off()
    ax.set_title(_verdict(result), fontsize="medium")
    return ax


def plot_findings(result: FindingPrediction, ax: Axes | None) -> Axes:
    """Draw a bar per finding, the most probable on top, with its threshold."""
    ax = _axes(ax)
    names = [one.name for one in result.findings]
    places = list(range(len(names)))
    colours = ["#ff2654" if one.is_present else "#9aa0a6" for one in result.findings]
    ax.barh(places, [one.probability for one in result.findings], color=colours)
    ax.plot([one.threshold for one in result.findings], places, "|k", markersize=12)
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("probability, and its threshold")
    ax.set_title(Path(result.source).name, fontsize="medium")
    return ax


def save_anomaly(result: Prediction, folder: Path) -> Path:
    """Add a result to a folder of results."""
    photo = photo_of(result)
    with ResultWriter(folder, resume=True) as writer:
        writer.add(result, photo)
    return folder


def save_findings(result: FindingPrediction, folder: Path) -> Path:
    """Add a result to a folder of results about the same findings."""
    photo = photo_of(result)
    names = sorted(one.name for one in result.findings)
    settings = {"labels": names}
    with ResultWriter(folder, resume=True, settings=settings, format=FindingFormat(names)) as writer:
        writer.add(result, photo)
    return folder


def anomaly_html(result: Prediction) -> str:
    """Return what a notebook shows: the overlay, small, or the map where the image is gone, and a line."""
    try:
        picture = anomaly_overlay(result)
    except ImageReadError:
        picture = anomaly_heatmap(result)
    return _figure(picture, f"<b>{escape(Path(result.source).name)}</b><br>{escape(_verdict(result))}")


def finding_html(result: FindingPrediction) -> str:
    """Return what a notebook shows: the image with its first map, small, and the most probable findings."""
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td>{one.probability:.2f}</td>"
        f"<td>{'present' if one.is_present else ''}</td></tr>"
        for one in result.findings[:MOST_LISTED]
    )
    caption = f"<b>{escape(Path(result.source).name)}</b> (research use only)<table>{rows}</table>"
    try:
        picture = finding_overlay(result, None) if _named(result) else photo_of(result)
    except ImageReadError:
        return f"<div>{caption}</div>"
    return _figure(picture, caption)


def _verdict(result: Prediction) -> str:
    """Return what was found in a line."""
    if result.is_familiar is False:
        return f"{UNLIKE}: no verdict (score {result.score:.2f})"
    if not result.is_anomalous:
        return f"normal: score {result.score:.2f}, below {result.threshold:.2f}"
    count = len(result.regions)
    regions = f"{count} region{'' if count == 1 else 's'}"
    return f"anomalous: score {result.score:.2f}, at or above {result.threshold:.2f}; {regions}"


def _figure(picture: Image.Image, caption: str) -> str:
    """Return a small copy of a picture with a caption of HTML."""
    small = picture.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    image = f'<img src="{data_uri(small)}" alt="" width="{small.width}" height="{small.height}">'
    return f'<figure style="margin:0">{image}<figcaption>{caption}</figcaption></figure>'


def _named(result: FindingPrediction) -> list[str]:
    """Return the findings' maps that are there by name, the most probable finding's first."""
    names = [map_name(one.name) for one in result.findings if one.name != NO_FINDING]
    return [name for name in names if name in result.maps]


def _map_of(result: FindingPrediction, name: str | None) -> Float32[np.ndarray, "height width"]:
    """Return a map by name; None takes the most probable finding that has one.

    Raises:
        ConfigError: There is no such map.
    """
    named = _named(result)
    chosen = name if name is not None else next(iter(named), None)
    if chosen in result.maps:
        return result.maps[str(chosen)]
    if not result.maps:
        raise ConfigError(f"{result.source}: has no maps; predict it with maps=True")
    for one in result.findings:
        if one.name == name and one.no_map:
            raise ConfigError(f"no map of {name}: {one.no_map}; predict with maps=Maps(below=True) to see it")
    asked, known = name or "", ", ".join(result.maps)
    hint = did_you_mean(asked, result.maps)
    raise ConfigError(f"no map is called '{one_line(asked, 60)}'{hint}; there are: {known}")


def _shapes(result: FindingPrediction) -> list[tuple[int, ...]]:
    return [one.shape for one in result.maps.values()]


def _axes(ax: Axes | None) -> Axes:
    """Return the axes given, or those of a new figure.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        raise MissingExtraError("plots need matplotlib; run: pip install 'zerosight[notebook]'") from None
    return pyplot.subplots()[1]
