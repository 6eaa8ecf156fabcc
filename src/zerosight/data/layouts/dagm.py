"""ClassK/{Train,Test}/NNNN.PNG with Label/NNNN_label.PNG: DAGM 2007. A label picture means a defect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import MaskFolder, child, folders_in, images_in, plain
from zerosight.errors import DataError


@dataclass(frozen=True, slots=True)
class DagmTree:
    """The layout of DAGM 2007.

    Attributes:
        categories: Class1 … Class10.
    """

    categories: tuple[str, ...]

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return "folders Class1 … Class10, each with Test/NNNN.PNG and Test/Label/NNNN_label.PNG"

    def matches(self, folder: Path) -> bool:
        """Return whether at least one class has a Test folder."""
        known = {plain(name) for name in self.categories}
        return any(plain(path.name) in known and child(path, "Test") for path in folders_in(folder))

    def read(self, scan: Scan) -> None:
        """Add the images of every class; defects listed in Labels.txt whose picture is missing are noted."""
        for name in self.categories:
            for split in ("Train", "Test"):
                folder = child(scan.folder, f"{name}/{split}")
                label_folder = child(folder, "Label")
                masks = MaskFolder(images_in(label_folder), ("_label",))
                listed = _listed_defects(child(label_folder, "Labels.txt"))
                for image in images_in(folder):
                    mask = masks.of(image)
                    anomalous = mask is not None or image.stem.casefold() in listed
                    if anomalous and mask is None:
                        scan.missing_mask(image)
                    scan.add(image, 1 if anomalous else 0, mask, name, split.lower())
                scan.unused_masks(masks.unused())


def _listed_defects(path: Path | None) -> set[str]:
    """Return the names, without suffix, of the images for which Labels.txt names a label picture."""
    if path is None:
        return set()
    try:
        words = path.read_text(encoding="ascii", errors="replace").split()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    names = (word.casefold().partition("_label.") for word in words)
    return {name for name, found, _ in names if found}
