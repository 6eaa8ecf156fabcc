"""COVID-19 Radiography Database: one folder per diagnosis, images in it (2020) or in images/ below (2021).

All that is not normal is anomalous, as in the scripts of ViP²-CLIP and AnomalyCLIP. The folders called masks
show lungs, not lesions, so they are no masks of anomalies and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zerosight.data.layouts.info import Scan
from zerosight.data.layouts.tree import child, images_in

NORMAL = ("Normal",)
DISEASES = ("COVID", "COVID-19", "Lung_Opacity", "Viral Pneumonia")


@dataclass(frozen=True, slots=True)
class CovidTree:
    """The layouts of the two editions."""

    @property
    def looks_for(self) -> str:
        """What should be in the folder."""
        return (
            f"folders {NORMAL[0]} and one of {', '.join(DISEASES)}, with images or images/ in them; "
            "masks/ beside those show lungs and are not read"
        )

    def matches(self, folder: Path) -> bool:
        """Return whether there is a folder of normal images and one of a disease."""
        return {label for _, label in _found(folder)} == {0, 1}

    def read(self, scan: Scan) -> None:
        """Add the images of all folders."""
        for folder, label in _found(scan.folder):
            for image in images_in(folder):
                scan.add(image, label)


def _found(root: Path) -> Iterator[tuple[Path, Literal[0, 1]]]:
    """Yield the folders that hold images, and what these are."""
    kinds: tuple[tuple[tuple[str, ...], Literal[0, 1]], ...] = ((NORMAL, 0), (DISEASES, 1))
    for names, label in kinds:
        for name in names:
            own = child(root, name)
            for folder in (child(own, "images"), own):
                if folder is not None and images_in(folder):
                    yield folder, label
                    break
