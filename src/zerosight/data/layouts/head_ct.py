"""head_ct/NNN.png with labels.csv (id, hemorrhage): the Head CT set. The number is the id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import child, images_in, read_csv
from zerosight.errors import DataError

_LABELS: dict[str, Literal[0, 1]] = {"0": 0, "1": 1}


@dataclass(frozen=True, slots=True)
class HeadCtTree:
    """The layout of the Head CT set."""

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return "labels.csv with the columns id and hemorrhage, and head_ct/000.png …"

    def matches(self, folder: Path) -> bool:
        """Return whether the table and at least one image are there."""
        return child(folder, "labels.csv") is not None and bool(_images(folder))

    def read(self, scan: Scan) -> None:
        """Add the images that the table lists."""
        images = _images(scan.folder)
        table = child(scan.folder, "labels.csv")
        assert table is not None  # matches() has seen it
        for line, row in read_csv(table, ("id", "hemorrhage")):
            label = _LABELS.get(row["hemorrhage"])
            if label is None or not row["id"].isdecimal():
                raise DataError(f"{table}:{line}: id should be a number and hemorrhage 0 or 1, got {row}")
            image = images.pop(int(row["id"][:18]), None)
            if image is None:
                scan.problems.append(f"missing file: {int(row['id'][:18]):03d}.png")
            else:
                scan.add(image, label)
        scan.problems.extend(f"not in labels.csv: {scan.relative(path)}" for path in images.values())


def _images(folder: Path) -> dict[int, Path]:
    """Return the images by number, from the deepest of the folders that unpacking may have made."""
    for name in ("head_ct/head_ct", "head_ct"):
        found = images_in(child(folder, name))
        if found:
            break
    else:
        found = images_in(folder)
    return {int(path.stem): path for path in found if path.stem.isdecimal()}
