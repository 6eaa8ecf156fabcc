"""Pages: self-contained HTML; pictures, style and script are inside, and its policy forbids to load more."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from zerosight.data.ahead import Room
from zerosight.data.pixels import read_image
from zerosight.errors import ImageReadError
from zerosight.files import packaged, replacing
from zerosight.report.heatmap import heatmap


def environment(*folders: Path) -> Environment:
    """Return the templates of the folders and of this one, with everything that is not theirs escaped."""
    return Environment(
        loader=FileSystemLoader([*folders, packaged("report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_page(path: Path, template: str, values: dict[str, Any]) -> Path:
    """Write a page of this folder's templates, piece by piece, whole or not at all, and return its path.

    Raises:
        OutputError: It cannot be written.
    """
    chunks = environment().get_template(template).stream(values)
    with replacing(path, "the results are kept") as temporary, temporary.open("wb") as file:
        chunks.dump(file, encoding="utf-8", errors="replace")
    return path


def thumbnail(path: Path | str, side: int, room: Room) -> str:
    """Return a small copy of a saved picture as a data URI, or nothing if it is gone.

    Args:
        path: The picture.
        side: At most so many pixels wide and high.
        room: Where it is read.
    """
    try:
        with room.share() as take:
            picture = read_image(path, before=take).convert("RGB")
            picture.thumbnail((side, side), reducing_gap=2)
    except ImageReadError:
        return ""
    return data_uri(picture)


def data_uri(picture: Image.Image) -> str:
    """Return the picture as a WebP data URI."""
    content = io.BytesIO()
    picture.save(content, "WEBP", quality=78)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()


def colour_scale() -> str:
    """Return the colours of the heatmaps from 0 to 1 as a data URI."""
    return data_uri(heatmap(np.linspace(0, 1, 256, dtype=np.float32)[None].repeat(2, axis=0)))
