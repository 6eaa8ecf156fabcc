"""kosNN/PartK.jpg with PartK_label.bmp: KolektorSDD as published, or prepared in MVTec's form.

As published every image has a label picture, and an image is anomalous where that has a bright pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.mvtec import read_category
from zerosight.data.layouts.tree import MaskFolder, child, folded, folders_in, images_in, plain
from zerosight.data.masks import read_mask
from zerosight.errors import DataError


@dataclass(frozen=True, slots=True)
class KsddTree:
    """The two layouts of KolektorSDD; the commutator is the group."""

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return "folders kos01 … kos50 with PartK.jpg and PartK_label.bmp, or [CAT/]test/{good,defect}"

    def matches(self, folder: Path) -> bool:
        """Return whether one of the two layouts is there."""
        return bool(_commutators(folder)) or _prepared(folder) is not None

    def read(self, scan: Scan) -> None:
        """Add the images, reading the label pictures of the published form."""
        category = scan.info.categories[0]
        prepared = _prepared(scan.folder)
        if prepared is not None:
            read_category(scan, prepared, category)
            return
        for folder in _commutators(scan.folder):
            files = images_in(folder)
            labels = [path for path in files if folded(path.stem).endswith("_label")]
            masks = MaskFolder(labels, ("_label",))
            for image in files:
                if image not in labels:
                    _add(scan, image, masks.of(image), category)
            scan.unused_masks(masks.unused())


def _add(scan: Scan, image: Path, mask: Path | None, category: str) -> None:
    group = image.parent.name
    if mask is None:
        scan.problems.append(f"no label picture for {scan.relative(image)}: its label is not known")
        scan.add(image, None, None, category, group=group)
        return
    try:
        anomalous = bool(read_mask(mask, scan.info.mask_threshold).any())
    except DataError as error:
        scan.problems.append(f"{error}: the label of {scan.relative(image)} is not known")
        scan.add(image, None, None, category, group=group)
        return
    scan.add(image, 1 if anomalous else 0, mask if anomalous else None, category, group=group)


def _commutators(folder: Path) -> list[Path]:
    return [path for path in folders_in(folder) if plain(path.name)[:3] == "kos" and path.name[3:].isdigit()]


def _prepared(folder: Path) -> Path | None:
    """Return the folder with test/good and test/defect: the one given or one directly below it."""
    for candidate in (folder, *folders_in(folder)):
        if child(candidate, "test/good") and child(candidate, "test/defect"):
            return candidate
    return None
