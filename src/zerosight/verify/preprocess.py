"""The image transform against the published one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from zerosight.backbones.normalise import tower_input
from zerosight.backbones.openclip import OPENAI_MEAN, OPENAI_STD
from zerosight.errors import DataError
from zerosight.preprocess import Preprocess
from zerosight.verify.report import Difference, difference, load_arrays


def verify_preprocess(path: Path) -> list[Difference]:
    """Return the largest difference per image mode and of the mask, for a file of inputs and outputs.

    Raises:
        DataError: The file is missing or is not of this format.
    """
    arrays = load_arrays(path)
    outputs = [name for name in arrays if name.startswith("out_")]
    if not outputs:
        raise DataError(
            f"{path}: should hold arrays in_MODE and out_MODE, holds {', '.join(arrays) or 'none'}"
        )
    transform = Preprocess(arrays[outputs[0]].shape[-1], OPENAI_MEAN, OPENAI_STD)
    found = [
        difference(name, tower_input(_image(arrays, name.removeprefix("out_")), transform), arrays[name])
        for name in outputs
    ]
    if "mask_in" in arrays:
        found.append(difference("mask_out", transform.mask(arrays["mask_in"] > 0)[None], arrays["mask_out"]))
    return found


def _image(arrays: Mapping[str, np.ndarray], mode: str) -> Image.Image:
    if mode != "P":
        return Image.fromarray(arrays[f"in_{mode}"])
    image = Image.fromarray(arrays["in_P_index"], mode="P")
    image.putpalette(arrays["in_P_palette"].tolist())
    return image
