"""The 15 benchmarks in little: the trees as their owners publish them, with a few drawn pictures in each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

MVTEC = (
    "{c}/train/good/0.png",
    "{c}/test/good/0.png",
    "{c}/test/hole/1.png",
    "{c}/ground_truth/hole/1{m}.png",
)
YES_NO = ("no/1 no.jpg", "yes/Y1.JPG")
COLON = ("images/1.png", "masks/1.png")
TREES: dict[str, tuple[str, ...]] = {
    "mvtec_ad": tuple(name.format(c="carpet", m="_mask") for name in MVTEC),
    "visa": (
        "candle/Data/Images/Normal/0.JPG",
        "candle/Data/Images/Anomaly/1.JPG",
        "candle/Data/Masks/Anomaly/1.png",
    ),
    "mpdd": tuple(name.format(c="bracket_black", m="_mask") for name in MVTEC),
    "ksdd": ("kos01/Part0.jpg", "kos01/Part0_label.bmp", "kos01/Part1.jpg", "kos01/Part1_label.bmp"),
    "btad": ("02/train/ok/0.png", "02/test/ok/0.png", "02/test/ko/1.png", "02/ground_truth/ko/1.png"),
    "dagm": ("Class1/Test/0001.PNG", "Class1/Test/0002.PNG", "Class1/Test/Label/0002_label.PNG"),
    "dtd_synthetic": tuple(name.format(c="Woven_001", m="_mask") for name in MVTEC),
    "head_ct": ("head_ct/head_ct/000.png", "head_ct/head_ct/001.png"),
    "brain_mri": YES_NO,
    "br35h": YES_NO,
    "isic": (
        "ISBI2016_ISIC_Part1_Test_Data/ISIC_1.jpg",
        "ISBI2016_ISIC_Part1_Test_GroundTruth/ISIC_1_Segmentation.png",
    ),
    "cvc_colondb": COLON,
    "cvc_clinicdb": ("Original/1.png", "Ground Truth/1.png"),
    "endo": ("images/1.jpg", "masks/1_mask.jpg"),
    "kvasir": ("images/cju1.jpg", "masks/cju1.jpg"),
}
"""Files of each set; its images and masks are told apart by their folders and endings."""
MASKS = ("ground_truth", "masks/", "Masks", "Ground", "_label", "GroundTruth")
EMPTY = "Part0_label.bmp"  # KolektorSDD labels its normal images with an empty picture


def plant(root: Path, names: tuple[str, ...], size: tuple[int, int] = (32, 24)) -> Path:
    """Write noise for images, a corner for masks and nothing for KolektorSDD's empty label.

    Args:
        root: The set's folder, which is made.
        names: Of ``TREES``.
        size: Width and height of the pictures.
    """
    rng = np.random.default_rng(0)
    width, height = size
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (height, width)).astype(np.uint8)
        if any(mark in name for mark in MASKS):
            pixels = np.zeros((height, width), np.uint8)
            pixels[: height // 3, : width // 4] = 0 if name.endswith(EMPTY) else 255
        Image.fromarray(pixels).save(path, format="JPEG" if path.suffix.lower() == ".jpg" else None)
    if "head_ct" in names[0]:
        (root / "labels.csv").write_text("id, hemorrhage\n0,1\n1,0\n", encoding="utf-8")
    return root
