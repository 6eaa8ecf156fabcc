"""What others report for zero-shot recognition of findings, in per cent, each under its own protocol.

F1 and accuracy are at the threshold that maximises F1 on the test images (``oracle``); means are over the
classes. Test lists, prompts and training data differ between rows and from ours: they are for orientation.

Source: the tables of MedKLIP (Wu et al., ICCV 2023) and MAVL (Phan et al., CVPR 2024), which also list
CheXzero (Tiu et al., Nature Biomedical Engineering 2022), and of CARZero (Lai et al., CVPR 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOTE = "their protocol"


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One model's results on one data set, in per cent.

    Attributes:
        model: The model.
        auroc: Mean AUROC.
        f1: Mean F1 at the oracle's threshold; None where not reported.
        accuracy: Mean accuracy there, of values strictly above it; None where not reported.
        note: What to mind.
    """

    model: str
    auroc: float
    f1: float | None = None
    accuracy: float | None = None
    note: str = NOTE

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "model": self.model,
            "auroc": self.auroc,
            "f1": self.f1,
            "accuracy": self.accuracy,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """The rows for one data set.

    Attributes:
        title: The data set as papers call it.
        protocol: The images and classes that the rows are about.
        rows: The rows.
    """

    title: str
    protocol: str
    rows: tuple[PublishedRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        rows = [row.to_json() for row in self.rows]
        return {"title": self.title, "protocol": self.protocol, "rows": rows}


_CARZERO = "their own protocol, not that of the rows above"

PUBLISHED: dict[str, PublishedSet] = {
    "chexpert": PublishedSet(
        "CheXpert",
        "the usual five classes: atelectasis, cardiomegaly, consolidation, edema, pleural effusion",
        (
            PublishedRow("CheXzero", 87.9, 61.9, 81.2),
            PublishedRow("MedKLIP", 88.0, 63.7, 84.3),
            PublishedRow("MAVL", 90.1, 65.5, 86.4),
            PublishedRow("CARZero", 92.3, note=_CARZERO),
        ),
    ),
    "chestxray14": PublishedSet(
        "ChestX-ray14",
        "14 classes; the official list has 25,596 test images, some papers use 22,433",
        (
            PublishedRow("CheXzero", 67.0, 22.0, 65.4),
            PublishedRow("MedKLIP", 72.3, 24.2, 79.4),
            PublishedRow("MAVL", 73.6, 26.3, 82.8),
            PublishedRow("CARZero", 81.1, note=_CARZERO),
        ),
    ),
    "padchest": PublishedSet(
        "PadChest",
        "images and classes as MAVL chose them, not named here",
        (
            PublishedRow("CheXzero", 73.2, 19.5, 83.5),
            PublishedRow("MedKLIP", 77.9, 26.6, 92.4),
            PublishedRow("MAVL", 78.8, 28.5, 92.6),
        ),
    ),
    "rsna_pneumonia": PublishedSet(
        "RSNA Pneumonia",
        "pneumonia; 5,337 images, 1,218 of them positive",
        (
            PublishedRow("CheXzero", 85.1, 61.5, 78.3),
            PublishedRow("MedKLIP", 85.9, 62.6, 80.0),
            PublishedRow("MAVL", 86.3, 65.3, 81.3),
        ),
    ),
    "siim_pneumothorax": PublishedSet(
        "SIIM-ACR Pneumothorax",
        "pneumothorax; 2,317 images, 647 of them positive",
        (
            PublishedRow("CheXzero", 84.6, 66.0, 77.3),
            PublishedRow("MedKLIP", 89.8, 72.7, 84.0),
            PublishedRow("MAVL", 92.0, 78.0, 87.1),
        ),
    ),
}
"""The rows per data set, by the name that its reader gives it."""


def published_for(data: str) -> PublishedSet | None:
    """Return what is published for a data set of exactly this name, None where nothing is."""
    return PUBLISHED.get(data.casefold())
