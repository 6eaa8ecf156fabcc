"""no/ and yes/: one folder of normal and one of anomalous images, as BrainMRI and Br35H have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import child, images_in


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
