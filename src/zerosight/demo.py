"""A small test set made on the spot: photographs that training never used, half of them damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import skimage

from zerosight.data.manifest import Manifest, read_manifest
from zerosight.data.synthetic import DEMO_PHOTOGRAPHS, SynthesisConfig, synthesize
from zerosight.data.synthetic.chest import write_phantoms
from zerosight.errors import OutputError

SEED = 2505
COUNT = 32
SIZE = 384
CHEST_SEED, CHEST_COUNT, CHEST_SIZE = 2610, 120, 320
FINDINGS_SHOWN = ("pleural effusion", "pneumothorax", "cardiomegaly", "lung opacity", "nodule", "no finding")


def make_demo_data(out: Path) -> Manifest:
    """Return a set of crops of scikit-image's photographs, every other one damaged, with masks.

    Args:
        out: Folder to write to; what an earlier run finished there is kept.

    Raises:
        OutputError: The folder cannot be written.
    """
    photographs = out / "photographs"
    try:
        photographs.mkdir(parents=True, exist_ok=True)
        for path in sorted(Path(str(skimage.data.data_dir)).iterdir()):
            if path.stem in DEMO_PHOTOGRAPHS:
                shutil.copyfile(path, photographs / path.name)
    except OSError as error:
        raise OutputError(f"{photographs}: cannot be written ({error.strerror})") from None
    config = SynthesisConfig(
        count=COUNT, size=SIZE, seed=SEED, base_folders=(photographs,), folder_fraction=1.0, workers=1
    )
    return read_manifest(synthesize(config, out / "data"))


def make_chest_data(out: Path) -> Manifest:
    """Return chest X-rays drawn by procedure from a seed that training never used, with labels and reports.

    Args:
        out: Folder to write to; what an earlier run finished there is kept.

    Raises:
        OutputError: The folder cannot be written.
    """
    return read_manifest(write_phantoms(out / "data", CHEST_COUNT, CHEST_SEED, CHEST_SIZE))
