"""Any tree with folders of normal and of anomalous images: for data that has no layout of its own.

An image is normal below a folder called good, normal, ok, no … and anomalous below one called anomaly,
defect, bad, yes … or below any folder that stands beside a normal one, as kinds of defects do. Folders
called train, test, val give the split, mask folders (masks, ground_truth, bad_masks …) the masks, what is
left the category.

A mask is called as its image, perhaps with an ending or a beginning (``7_mask.png``, ``mask_7.png``), in a
mask folder of the same kind or category, in a folder of the image's name there, or beside its image. A row
holds one mask, so of several for one image none is taken. Every mask that no image has is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import (
    MaskFolder,
    folded,
    folders_in,
    images_in,
    mask_names,
    others_in,
    plain,
)

NORMAL = frozenset(
    {"good", "normal", "ok", "no", "free", "negative", "healthy", "nondefective", "defect_free"}
)
ANOMALOUS = frozenset(
    {
        "anomaly",
        "anomalous",
        "abnormal",
        "bad",
        "defect",
        "defective",
        "ko",
        "ng",
        "yes",
        "positive",
        "faulty",
    }
)
MASKS = frozenset(
    (
        *(
            "mask",
            "masks",
            "ground_truth",
            "groundtruth",
            "gt",
            "label",
            "labels",
            "annotation",
            "annotations",
        ),
        *("segmentation", "segmentations"),
    )
)
IMAGES = frozenset({"images", "imgs", "image", "img"})
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("val", "valid", "validation"), "validation"
)
MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class FolderTree:
    """Any tree with normal and anomalous folders."""

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return f"a folder of normal images, called {', '.join(sorted(NORMAL))}, or of anomalous ones"

    def matches(self, folder: Path) -> bool:
        """Return whether a folder below says by its name what its images are."""
        return any(place.label is not None for place in _places(folder))

    def read(self, scan: Scan) -> None:
        """Add the images below normal and anomalous folders."""
        places = list(_places(scan.folder))
        masks = _Masks(place for place in places if place.is_mask)
        chosen: list[tuple[Path, _Place]] = []
        for place in (place for place in places if not place.is_mask):
            images = masks.without_beside(place, images_in(place.folder))
            if place.label is None and images:
                where = f"{scan.relative(place.folder)}/"
                scan.problems.append(f"{len(images)} images in no normal or anomalous folder: {where}")
            elif place.label is not None:
                chosen += [(image, place) for image in images]
        named = {image: masks.of(image, place) for image, place in chosen if place.label == 1}
        for image, place in chosen:
            mask = named.get(image)
            if place.label == 1 and mask is None:
                mask = masks.only_part(scan, image, place)
            scan.add(image, place.label, mask, place.category or scan.folder.name, place.split or "test")
        masks.tell_rest(scan, ((image, place) for image, place in chosen if place.label == 0))


@dataclass(frozen=True, slots=True)
class _Place:
    """One folder and what the names on the way to it say; ``trail`` is what says neither split nor masks."""

    folder: Path
    depth: int = 0
    split: str = ""
    trail: tuple[str, ...] = ()
    category: str = ""
    label: Literal[0, 1] | None = None
    is_mask: bool = False


def _places(root: Path) -> Iterator[_Place]:
    """Yield a folder and every folder below it, from the top down."""
    waiting = [_Place(root)]
    while waiting:
        place = waiting.pop(0)
        yield place
        below = [] if place.depth == MAX_DEPTH else folders_in(place.folder)
        siblings = frozenset(plain(path.name) for path in below)
        waiting += [_step(place, path, siblings) for path in below if not _leads_back_up(path)]


def _step(place: _Place, folder: Path, siblings: frozenset[str]) -> _Place:
    """Return a folder below a place; ``siblings`` are all that lie there."""
    name = plain(folder.name)
    place = replace(place, folder=folder, depth=place.depth + 1)
    masked = _masks_of(name, siblings)
    if masked is not None:
        place, name = replace(place, is_mask=True), masked
    if not name:
        return place
    if name in SPLITS:
        return replace(place, split=SPLITS[name])
    if name in IMAGES:
        return place
    here = replace(place, trail=(*place.trail, name))
    if place.is_mask:
        return here
    label: Literal[0, 1] | None = None
    if name in NORMAL:
        label = 0
    elif name in ANOMALOUS or (place.label is None and siblings & NORMAL):
        label = 1
    if label is not None:
        return replace(here, label=label)
    return (
        here
        if place.label is not None
        else replace(here, category="/".join(filter(None, (place.category, folder.name))))
    )


def _masks_of(name: str, siblings: frozenset[str]) -> str | None:
    """Return whose masks a folder holds by its name, empty for all of its place; None if it holds none."""
    if name in MASKS:
        return ""
    for mask in MASKS:
        for rest in (name.removesuffix(f"_{mask}"), name.removeprefix(f"{mask}_")):
            if rest != name and rest in siblings:
                return rest
    return None


class _Masks:
    """All masks of a tree, by the split and the trail of their folders."""

    def __init__(self, places: Iterable[_Place]) -> None:
        self._not_read: list[Path] = []
        files: dict[tuple[str, tuple[str, ...]], list[Path]] = {}
        for place in places:
            files.setdefault((place.split, place.trail), []).extend(images_in(place.folder))
            self._not_read += others_in(place.folder)
        self._folders = {key: MaskFolder(paths) for key, paths in files.items()}

    def without_beside(self, place: _Place, images: list[Path]) -> list[Path]:
        """Return the images of a folder without the masks that lie among them, which are noted."""
        names = {folded(name) for image in images for name in mask_names(image) if name != image.stem}
        beside = [image for image in images if folded(image.stem) in names]
        if beside:
            self._folders[place.split, (*place.trail, "")] = MaskFolder(beside)
        return [image for image in images if image not in beside]

    def of(self, image: Path, place: _Place) -> Path | None:
        """Return the mask that is called as an image."""
        return next(filter(None, (folder.of(image) for folder, _ in self._near(image, place))), None)

    def only_part(self, scan: Scan, image: Path, place: _Place) -> Path | None:
        """Return the numbered mask of an image if there is one alone; several are a problem."""
        for folder, own in self._near(image, place):
            parts = folder.unused() if own else folder.parts_of(image)
            folder.use(parts)
            if len(parts) > 1:
                scan.problems.append(
                    f"{len(parts)} masks for {scan.relative(image)}, such as {scan.relative(parts[0])}: none "
                    "is taken, as a row holds one; join them into one picture"
                )
            if parts:
                return parts[0] if len(parts) == 1 else None
        return None

    def tell_rest(self, scan: Scan, normal: Iterable[tuple[Path, _Place]]) -> None:
        """Note every mask that no image has; those of normal images in one line."""
        needless = list(filter(None, (self.of(image, place) for image, place in normal)))
        if needless:
            example = scan.relative(needless[0])
            scan.problems.append(f"{len(needless)} masks of normal images are not used, such as {example}")
        for folder in self._folders.values():
            scan.unused_masks(folder.unused())
        scan.problems.extend(
            f"mask not read: {scan.relative(path)}; save masks as PNG" for path in self._not_read
        )

    def _near(self, image: Path, place: _Place) -> Iterator[tuple[MaskFolder, bool]]:
        """Yield the folders that may hold an image's mask, and whether they are its alone."""
        category = tuple(plain(part) for part in place.category.split("/") if part)
        kind = tuple(part for part in place.trail if part not in ANOMALOUS)
        beside = (*place.trail, "")
        trails = dict.fromkeys((place.trail, kind, category, beside))
        places = [((*trail, plain(image.stem)), True) for trail in trails] + [
            (trail, False) for trail in trails
        ]
        for (trail, own), split in product(places, (place.split, "")):
            folder = self._folders.get((split, trail))
            if folder is not None:
                yield folder, own


def _leads_back_up(folder: Path) -> bool:
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())
