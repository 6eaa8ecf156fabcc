"""Regions as pixels, and files that are called as their images are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image
from scipy import ndimage

from zerosight.errors import DataError
from zerosight.files import replacing, write_atomically
from zerosight.report.formats import safe_name
from zerosight.types import Failure, Prediction, Region

EIGHT = np.ones((3, 3), bool)
"""Diagonal neighbours belong together, as in :func:`zerosight.predict.regions.find_regions`."""
LABEL = "anomaly"


def region_mask(prediction: Prediction, region: Region) -> Bool[np.ndarray, "height width"]:
    """Return the pixels of one region of a prediction.

    An anomalous image whose map stays below its threshold has the surroundings of its peak as a region; of
    such a region the whole box is returned.

    >>> grid = np.zeros((4, 5), np.float32)
    >>> grid[1:3, 2:4] = 0.75
    >>> region = Region((2, 1, 4, 3), 4, 0.75)
    >>> int(region_mask(Prediction("a.png", 0.9, 0.5, 0.5, grid, (region,)), region).sum())
    4
    """
    left, top, right, bottom = region.box
    window = (slice(top, bottom), slice(left, right))
    parts, count = ndimage.label(prediction.anomaly_map[window] >= prediction.pixel_threshold, EIGHT)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    own = [part for part in range(1, count + 1) if sizes[part] == region.area]
    mask = np.zeros(prediction.anomaly_map.shape, bool)
    mask[window] = parts == own[0] if own else True
    return mask


def write_masks(predictions: Iterable[Prediction | Failure], folder: str | Path) -> list[Path]:
    """Write the regions of every image as a mask, 255 where anomalous, and return the files.

    A mask is called as its image, so that :func:`zerosight.evaluate` finds it beside others.

    Args:
        predictions: What ``predict`` yields; failures are left out.
        folder: Where the masks go.

    Raises:
        OutputError: The folder cannot be written.
    """
    found = []
    for name, prediction in named(predictions):
        mask = np.zeros(prediction.anomaly_map.shape, bool)
        for region in prediction.regions:
            mask |= region_mask(prediction, region)
        found.append(Path(folder) / f"{name}.png")
        save_mask(mask, found[-1])
    return found


def save_mask(mask: Bool[np.ndarray, "height width"], path: Path) -> None:
    """Write a mask as PNG, 255 where it is True.

    Raises:
        OutputError: The file cannot be written.
    """
    with replacing(path, "what was written before is kept") as temporary:
        Image.fromarray(mask.astype(np.uint8) * 255).save(temporary, format="PNG")


def named(predictions: Iterable[Prediction | Failure]) -> Iterator[tuple[str, Prediction]]:
    """Yield every prediction with a file name of its own, without a suffix.

    Raises:
        DataError: There are predictions of something else than anomalies.
    """
    taken: set[str] = set()
    for one in predictions:
        if isinstance(one, Failure):
            continue
        if not isinstance(one, Prediction):
            raise DataError(f"labels are made of anomalies, got a {type(one).__name__}")
        yield unused(safe_name(one.source), taken), one


def unused(name: str, taken: set[str]) -> str:
    """Return a file name that no other image has, and take it; case does not tell files apart everywhere."""
    own, number = name, 1
    while own.casefold() in taken:
        number += 1
        own = f"{name}-{number}"
    taken.add(own.casefold())
    return own


def write_json(path: str | Path, content: object) -> Path:
    """Write one JSON value and return its path.

    Raises:
        OutputError: It cannot be written.
    """
    write_atomically(Path(path), json.dumps(content).encode() + b"\n")
    return Path(path)
