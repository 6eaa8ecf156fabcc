"""What it should look like: the normal patch nearest to an anomalous region, where the normals are at hand.

A model with references stores no image, but knows of every normal patch that it keeps which image it comes
from, by name and hash, and where it lies there. Where that very image is still on this machine, the patch can
be shown beside the region.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image

from zerosight.backbones.normalise import normalise
from zerosight.data.find import find_images
from zerosight.data.pixels import read_image
from zerosight.errors import ConfigError, ImageReadError
from zerosight.models.references.estimators import Nearest
from zerosight.models.references.scorer import ReferenceScorer
from zerosight.models.references.tower import look
from zerosight.predict.anomalies import Predictor
from zerosight.predict.references import pixel_hash
from zerosight.types import Prediction

Box = tuple[int, int, int, int]
LEAST = 0.2
"""Least side of what is shown, as a share of the image's shorter side."""
ELSEWHERE = ("\\\\", "//")
"""How names of files on other machines begin; a stranger's card does not make this one call there."""
MOST = 0.6
"""Largest, so that the place can be seen in the image."""


@dataclass(frozen=True, slots=True, eq=False)
class Counterpart:
    """The nearest normal patch of an image's first region.

    Attributes:
        source: The normal image.
        box: What is shown of it: left, top, right and bottom in its pixels.
        region: What is shown of the image that was judged, likewise; the peak is in its middle.
        normal: The normal image itself.
    """

    source: str
    box: Box
    region: Box
    normal: Image.Image

    def crops(self, photo: Image.Image) -> tuple[Image.Image, Image.Image]:
        """Return the region and the nearest normal patch.

        Args:
            photo: The image that was judged.
        """
        return photo.convert("RGB").crop(self.region), self.normal.convert("RGB").crop(self.box)


class Counterparts:
    """Finds the nearest normal patch of what is unusual.

    Args:
        predictor: With references, in PyTorch.
        folders: Where normal images may lie, beside the places where they lay when they were fitted.

    Raises:
        ConfigError: The model has no references, or none that search for patches.
    """

    def __init__(self, predictor: Predictor, folders: Iterable[str | Path] = ()) -> None:
        scorer = predictor.scorer
        found = list(scorer.model.searches) if isinstance(scorer, ReferenceScorer) else []
        if not isinstance(scorer, ReferenceScorer) or not found or not isinstance(found[-1], Nearest):
            raise ConfigError(
                f"'{predictor.card.name}' knows no normal patches; use a folder of zerosight fit"
            )
        self.scorer, self.search = scorer, found[-1]
        self.normals = scorer.loaded.normals
        self.folders = list(folders)
        self._known: dict[int, Path | None] = {}

    @property
    def at_hand(self) -> bool:
        """Whether any of the normal images is here."""
        return any(self._path(owner) is not None for owner in range(len(self.normals)))

    def of(self, result: Prediction, photo: Image.Image) -> Counterpart | None:
        """Return the nearest normal patch; None of a normal image, or where that patch's image is not here.

        Args:
            result: What was found in the image as a whole, not in tiles.
            photo: The image.
        """
        if not (result.is_anomalous and result.regions):
            return None
        left, top, right, bottom = result.regions[0].box
        inside = result.anomaly_map[top:bottom, left:right]
        row, column = divmod(int(inside.argmax()), right - left)
        peak = (left + column, top + row)
        owner, place = self._nearest(photo, peak)
        path = self._path(owner)
        if path is None:
            return None
        try:
            normal = read_image(path)
        except ImageReadError:  # gone since it was looked for
            return None
        side = _side(result.regions[0].box, photo.size)
        middle = self._middle(place, normal.size)
        share = side / min(photo.size)  # of what the model sees, the normal image shows as much
        return Counterpart(
            source=str(path),
            box=_around(middle, round(share * min(normal.size)), normal.size),
            region=_around(peak, side, photo.size),
            normal=normal,
        )

    def _nearest(self, photo: Image.Image, peak: tuple[int, int]) -> tuple[int, int]:
        """Return the normal image and the place in it of the patch that is nearest to a point."""
        preprocess = self.scorer.preprocess
        pixels = torch.from_numpy(preprocess.pixels(photo)[None]).to(self.scorer.device)
        with torch.inference_mode():
            _, levels = look(self.scorer.model.encoder, normalise(pixels, preprocess))
            entry = int(self.search.nearest(levels[-1][:, self._patch(peak, photo.size)]))
        coreset = self.normals.coresets[-1]
        return int(coreset.owners[entry]), int(coreset.places[entry])

    def _patch(self, point: tuple[int, int], size: tuple[int, int]) -> int:
        """Return the number of the patch in which a point of an image lies."""
        preprocess, grid = self.scorer.preprocess, self.scorer.model.encoder.grid
        left, top, width, height = preprocess.box(size[1], size[0])
        column = int((left + (point[0] + 0.5) * width / size[0]) * grid / preprocess.size)
        row = int((top + (point[1] + 0.5) * height / size[1]) * grid / preprocess.size)
        return min(row, grid - 1) * grid + min(column, grid - 1)

    def _middle(self, place: int, size: tuple[int, int]) -> tuple[int, int]:
        """Return the middle of a patch in pixels of an image."""
        preprocess, grid = self.scorer.preprocess, self.scorer.model.encoder.grid
        left, top, width, height = preprocess.box(size[1], size[0])
        row, column = divmod(place, grid)
        x, y = ((one + 0.5) * preprocess.size / grid for one in (column, row))
        return round((x - left) * size[0] / width), round((y - top) * size[1] / height)

    def _path(self, owner: int) -> Path | None:
        """Return where a normal image lies, if it lies somewhere and is still the same."""
        if owner not in self._known:
            name, digest = Path(self.normals.names[owner]), self.normals.hashes[owner]
            named = [] if str(name).startswith(ELSEWHERE) else [name]
            places = (path for path in [*named, *self._by_name.get(name.name, [])] if path.is_file())
            self._known[owner] = next((path for path in places if _holds(path, digest)), None)
        return self._known[owner]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """The images in the folders, by name."""
        found: dict[str, list[Path]] = {}
        images = find_images([str(folder) for folder in self.folders]) if self.folders else ()
        for path in map(Path, images):
            found.setdefault(path.name, []).append(path)
        return found


def _holds(path: Path, digest: str) -> bool:
    """Return whether a file holds the very image that was fitted."""
    try:
        return pixel_hash(read_image(path)) == digest
    except ImageReadError:
        return False


def _side(box: Box, size: tuple[int, int]) -> int:
    """Return the side of a square that shows a region and something of what is around it.

    >>> _side((10, 10, 30, 20), (100, 100)), _side((0, 0, 2, 2), (100, 80)), _side((0, 0, 99, 99), (100, 100))
    (30, 16, 60)
    """
    shorter = min(size)
    wanted = 1.5 * max(box[2] - box[0], box[3] - box[1])
    return max(1, round(min(max(wanted, LEAST * shorter), MOST * shorter)))


def _around(middle: tuple[int, int], side: int, size: tuple[int, int]) -> Box:
    """Return a square around a point, moved such that it lies in the image.

    >>> _around((2, 50), 20, (100, 100))
    (0, 40, 20, 60)
    """
    left, top = (max(0, min(at - side // 2, length - side)) for at, length in zip(middle, size, strict=True))
    return left, top, min(left + side, size[0]), min(top + side, size[1])
