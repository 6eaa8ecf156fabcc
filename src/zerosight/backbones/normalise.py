"""From pixels to an image tower's input."""

from __future__ import annotations

import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor

from zerosight.preprocess import Preprocess


def normalise(
    pixels: UInt8[Tensor, "*batch height width 3"], preprocess: Preprocess
) -> Float32[Tensor, "*batch 3 height width"]:
    """Return pixels as the image tower's input.

    Args:
        pixels: From :meth:`~zerosight.preprocess.Preprocess.pixels`, in [0, 255].
        preprocess: The backbone's constants.
    """
    mean = torch.tensor(preprocess.mean, device=pixels.device)
    std = torch.tensor(preprocess.std, device=pixels.device)
    return pixels.float().div(255).sub(mean).div(std).movedim(-1, -3).contiguous()


def tower_input(image: Image.Image, preprocess: Preprocess) -> Float32[Tensor, "3 size size"]:
    """Return one image as the image tower's input."""
    return normalise(torch.from_numpy(preprocess.pixels(image)), preprocess)
