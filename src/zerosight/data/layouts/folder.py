"""Any tree with folders of normal and of anomalous images: for data that has no layout of its own.

An image is normal below a folder called good, normal, ok, no … and anomalous below one called anomaly,
defect, bad, yes … or below any folder that stands beside a normal one, as kinds of defects do. Folders
called train, test, val give the split, mask folders (masks, ground_truth …) the masks, what is left the
category.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import MaskFolder, folders_in, images_in, plain

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
MASKS = frozenset({"mask", "masks", "ground_truth", "groundtruth", "gt", "label", "labels", "annotations"})
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
        masks = {(p.split, p.trail): MaskFolder(images_in(p.folder)) for p in places if p.is_mask}
        for place in places:
            images = [] if place.is_mask else images_in(place.folder)
            if place.label is None and images:
                where = f"{scan.relative(place.folder)}/"
                scan.problems.append(f"{len(images)} images in no normal or anomalous folder: {where}")
            elif place.label == 0:
                for image in images:
                    scan.add(image, 0, None, place.category or scan.folder.name, place.split or "test")
            else:
                for image in images:
                    mask = _mask(image, place, masks)
                    scan.add(image, 1, mask, place.category or scan.folder.name, place.split or "test")


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
        beside_normal = any(plain(path.name) in NORMAL for path in below)
        waiting += [_step(place, path, beside_normal) for path in below if not _leads_back_up(path)]


def _step(place: _Place, folder: Path, beside_normal: bool) -> _Place:
    name = plain(folder.name)
    place = replace(place, folder=folder, depth=place.depth + 1)
    if name in MASKS:
        return replace(place, is_mask=True)
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
    elif name in ANOMALOUS or (beside_normal and place.label is None):
        label = 1
    if label is not None:
        return replace(here, label=label)
    return (
        here
        if place.label is not None
        else replace(here, category="/".join(filter(None, (place.category, folder.name))))
    )


def _mask(image: Path, place: _Place, masks: Mapping[tuple[str, tuple[str, ...]], MaskFolder]) -> Path | None:
    """Return the image's mask from the mask folder of its kind, else from that of its category."""
    category = tuple(plain(part) for part in place.category.split("/") if part)
    for key in product((place.trail, category), (place.split, "")):
        folder = masks.get((key[1], key[0]))
        found = folder.of(image) if folder else None
        if found:
            return found
    return None


def _leads_back_up(folder: Path) -> bool:
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())
