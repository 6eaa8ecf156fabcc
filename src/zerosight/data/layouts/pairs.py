"""Two folders side by side: images and masks with their names (the wholly anomalous sets), or no and yes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import MASK_ENDINGS, MaskFolder, child, images_in


@dataclass(frozen=True, slots=True)
class Pairs:
    """Folders of images, each with a folder of masks.

    Attributes:
        parts: (split, images, masks) in order of preference; the first that is there is read for each split.
            Both folders may be the same, ``"."``, where masks have an ending.
        endings: What stands between an image's name and its mask's suffix.
    """

    parts: tuple[tuple[str, str, str], ...]
    endings: tuple[str, ...] = MASK_ENDINGS

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return "folders " + " or ".join(f"{images} and {masks}" for _, images, masks in self.parts)

    def matches(self, folder: Path) -> bool:
        """Return whether one of the parts is there, with images."""
        return any(
            images_in(child(folder, images)) and images_in(child(folder, masks))
            for _, images, masks in self.parts
        )

    def read(self, scan: Scan) -> None:
        """Add the images of each split."""
        read = set()
        for split, images, masks in self.parts:
            found = images_in(child(scan.folder, images))
            mask_files = images_in(child(scan.folder, masks))
            if split not in read and found and mask_files:
                read.add(split)
                self._read_part(scan, split, found, mask_files)

    def _read_part(self, scan: Scan, split: str, images: list[Path], mask_files: list[Path]) -> None:
        masks = MaskFolder(mask_files, self.endings)
        for image in images:
            mask = masks.of(image)
            if mask is None:
                scan.missing_mask(image)
            scan.add(image, 1, mask, split=split)
        scan.unused_masks(masks.unused())


@dataclass(frozen=True, slots=True)
class YesNoTree:
    """Two folders; anything beside them, such as Br35H's pred, is not read."""

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return "folders no and yes with images"

    def matches(self, folder: Path) -> bool:
        """Return whether both folders have images."""
        return bool(images_in(child(folder, "no"))) and bool(images_in(child(folder, "yes")))

    def read(self, scan: Scan) -> None:
        """Add the images of both folders."""
        for image in images_in(child(scan.folder, "no")):
            scan.add(image, 0)
        for image in images_in(child(scan.folder, "yes")):
            scan.add(image, 1)
