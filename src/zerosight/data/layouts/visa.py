"""CAT/Data/{Images,Masks} with split_csv/1cls.csv: VisA as published, or prepared in MVTec's form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.mvtec import MvtecTree
from zerosight.data.layouts.tree import MaskFolder, child, folded, folders_in, images_in, plain, read_csv
from zerosight.data.rows import check_name
from zerosight.errors import DataError

TABLE = "split_csv/1cls.csv"
_LABELS: dict[str, Literal[0, 1]] = {"normal": 0, "anomaly": 1}


@dataclass(frozen=True, slots=True)
class VisaTree:
    """The layout of VisA.

    Attributes:
        categories: The folders to read.
    """

    categories: tuple[str, ...]

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return f"category folders ({', '.join(self.categories[:3])} …), each with Data/Images, and {TABLE}"

    def matches(self, folder: Path) -> bool:
        """Return whether at least one known category is there, as published or as prepared."""
        known = {plain(name) for name in self.categories}
        folders = [path for path in folders_in(folder) if plain(path.name) in known]
        return any(child(path, "Data/Images") or child(path, "test") for path in folders)

    def read(self, scan: Scan) -> None:
        """Add the images that the table lists, or all of them as test images where it is missing."""
        if MvtecTree(self.categories).matches(scan.folder):
            MvtecTree(self.categories).read(scan)
            return
        table = child(scan.folder, TABLE)
        if table is None:
            scan.problems.append(f"no {TABLE}: all images are taken as test images, not the published split")
            self._read_folders(scan)
        else:
            _read_table(scan, table, self.categories)

    def _read_folders(self, scan: Scan) -> None:
        for name in self.categories:
            data = child(scan.folder, f"{name}/Data")
            for image in images_in(child(data, "Images/Normal")):
                scan.add(image, 0, category=name)
            masks = MaskFolder(images_in(child(data, "Masks/Anomaly")))
            for image in images_in(child(data, "Images/Anomaly")):
                mask = masks.of(image)
                if mask is None:
                    scan.missing_mask(image)
                scan.add(image, 1, mask, name)
            scan.unused_masks(masks.unused())


def _read_table(scan: Scan, table: Path, categories: tuple[str, ...]) -> None:
    """Add the rows of the published split, as far as their files are there."""
    known = {plain(name): name for name in categories}
    files = _files_by_name(scan.folder)
    listed: set[Path] = set()
    for line, row in read_csv(table, ("object", "split", "label", "image", "mask")):
        category, label = known.get(plain(row["object"])), _LABELS.get(row["label"].lower())
        if category is None or label is None:
            raise DataError(
                f"{table}:{line}: object {row['object'][:40]!r} or label {row['label'][:40]!r} unknown"
            )
        try:
            check_name("image", row["image"])
            if row["mask"]:
                check_name("mask", row["mask"])
        except DataError as error:
            raise DataError(f"{table}:{line}: {error}") from None
        image, mask = files.get(_key(row["image"])), files.get(_key(row["mask"])) if row["mask"] else None
        if image is None:
            scan.problems.append(f"missing file: {row['image']}")
            continue
        listed.update(filter(None, (image, mask)))
        if label == 1 and mask is None:
            scan.missing_mask(image)
        scan.add(image, label, mask if label == 1 else None, category, row["split"].lower())
    rest = [path for path in files.values() if path not in listed]
    extra = [path for path in rest if plain(path.parent.parent.name) == "images"]
    scan.unused_masks(path for path in rest if path not in extra)
    if extra:
        scan.problems.append(f"{len(extra)} images are not in {TABLE}, such as {scan.relative(extra[0])}")


def _files_by_name(folder: Path) -> dict[str, Path]:
    """Return every image and mask by its path, without case and without the suffix that people change."""
    files = {}
    for category in folders_in(folder):
        for part in ("Data/Images/Normal", "Data/Images/Anomaly", "Data/Masks/Anomaly"):
            for path in images_in(child(category, part)):
                files[_key(path.relative_to(folder).as_posix())] = path
    return files


def _key(name: str) -> str:
    return folded(name).rpartition(".")[0]
