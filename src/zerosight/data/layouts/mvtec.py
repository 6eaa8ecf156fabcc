"""CAT/{train,test}/{good,DEFECT} and CAT/ground_truth/DEFECT: MVTec AD and the sets that follow it.

BTAD calls its kinds ``ok`` and ``ko``; the prepared KolektorSDD has one category of any name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import MaskFolder, child, folders_in, images_in, plain

NORMAL_KINDS = ("good", "ok")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class MvtecTree:
    """The layout of MVTec AD.

    Attributes:
        categories: The folders to read; others are reported.
    """

    categories: tuple[str, ...]

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return f"category folders ({', '.join(self.categories[:3])} …), each with test/good or test/ok"

    def matches(self, folder: Path) -> bool:
        """Return whether at least one known category has a test folder."""
        known = {plain(name) for name in self.categories}
        return any(plain(path.name) in known and child(path, "test") for path in folders_in(folder))

    def read(self, scan: Scan) -> None:
        """Add the images of every known category."""
        known = {plain(name): name for name in self.categories}
        for folder in folders_in(scan.folder):
            name = known.get(plain(folder.name))
            if name is not None:
                read_category(scan, folder, name)
            elif child(folder, "test"):
                scan.problems.append(f"extra folder not read: {scan.relative(folder)}")


def read_category(scan: Scan, folder: Path, category: str) -> None:
    """Add the images of one category, its masks paired by name."""
    for split in SPLITS:
        for kind in folders_in(child(folder, split)):
            normal = plain(kind.name) in NORMAL_KINDS
            masks = MaskFolder([] if normal else images_in(child(folder, f"ground_truth/{kind.name}")))
            for image in images_in(kind):
                mask = masks.of(image)
                if mask is None and not normal:
                    scan.missing_mask(image)
                scan.add(image, 0 if normal else 1, mask, category, split)
            if split == "test":
                scan.unused_masks(masks.unused())
