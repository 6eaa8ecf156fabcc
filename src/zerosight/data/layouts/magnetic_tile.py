"""MT_KIND/Imgs/NAME.jpg with NAME.png as mask beside it, MT_Free without a defect: the magnetic tiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import MaskFolder, child, folders_in, images_in, plain


@dataclass(frozen=True, slots=True)
class MagneticTileTree:
    """The layout of the magnetic tile set."""

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return "folders MT_Free, MT_Blowhole …, each with Imgs/NAME.jpg and Imgs/NAME.png"

    def matches(self, folder: Path) -> bool:
        """Return whether at least one kind is there."""
        return bool(_kinds(folder))

    def read(self, scan: Scan) -> None:
        """Add the images of every kind."""
        for kind in _kinds(scan.folder):
            normal = plain(kind.name) == "mt_free"
            files = images_in(child(kind, "Imgs"))
            masks = MaskFolder([path for path in files if path.suffix.lower() == ".png"], ("",))
            for image in files:
                if image.suffix.lower() == ".png":
                    continue
                mask = masks.of(image)
                if mask is None and not normal:
                    scan.missing_mask(image)
                scan.add(image, 0 if normal else 1, None if normal else mask)
            scan.unused_masks(masks.unused())


def _kinds(folder: Path) -> list[Path]:
    return [path for path in folders_in(folder) if plain(path.name).startswith("mt_") and child(path, "Imgs")]
