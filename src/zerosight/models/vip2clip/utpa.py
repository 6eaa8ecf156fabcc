"""UTPA, the Unified Text-Patch Alignment: one cosine table gives the map and the score.

Symbols of the paper: ``c^l`` is ``cosines[l]``, ``p^l`` is ``probabilities``, τ is ``temperature``.

Departures: none in the functions. Averaging levels, upsampling and blurring are linear, so levels are
averaged first and the other two become one matrix on either side of the grid (``A·M·Aᵀ``).
Source: ViP²-CLIP, section 3.4.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn import functional as F


def text_patch_cosines(
    patches: Float[Tensor, "level batch patch dim"], text: Float[Tensor, "level batch 2 dim"]
) -> Float[Tensor, "level batch patch 2"]:
    """Return the cosine of every patch with the normal and the abnormal text feature of its level."""
    return patches @ text.transpose(-1, -2)


def abnormal_probability(cosines: Float[Tensor, "*any 2"], temperature: float) -> Float[Tensor, "*any"]:
    """Return the probability of the abnormal state, a softmax over (normal, abnormal)."""
    return (cosines / temperature).softmax(-1)[..., 1]


def level_maps(
    cosines: Float[Tensor, "level batch patch 2"], temperature: float, size: int
) -> Float[Tensor, "level batch size size"]:
    """Return every level's abnormal probability, upsampled bilinearly: what the losses see."""
    probability = abnormal_probability(cosines, temperature)
    grid = round(probability.shape[-1] ** 0.5)
    maps = probability.unflatten(-1, (grid, grid))
    return F.interpolate(maps, (size, size), mode="bilinear", align_corners=False)


def anomaly_map(
    cosines: Float[Tensor, "level batch patch 2"], temperature: float, size: int, sigma: float = 0.0
) -> Float[Tensor, "batch size size"]:
    """Return the mean over levels of the abnormal probability at the model's size, blurred.

    Args:
        cosines: From :func:`text_patch_cosines`.
        temperature: τ, 0.07 in the paper.
        size: Height and width of the map, in pixels.
        sigma: Standard deviation of the Gaussian blur in pixels (8 at 518 px in the paper); 0 for none.
    """
    probability = abnormal_probability(cosines, temperature).mean(0)
    grid = round(probability.shape[-1] ** 0.5)
    spread = torch.from_numpy(spread_matrix(grid, size, sigma)).to(probability)
    return spread @ probability.unflatten(-1, (grid, grid)) @ spread.T


@lru_cache(maxsize=16)
def spread_matrix(grid: int, size: int, sigma: float) -> Float[np.ndarray, "size grid"]:
    """Return the matrix that upsamples a line of patches bilinearly and blurs it.

    The blur is scipy's: borders reflected, cut off at four standard deviations.
    """
    centres = ((np.arange(size) + 0.5) * grid / size - 0.5).clip(0, grid - 1)
    upsample = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(grid)))
    return gaussian_filter1d(upsample, sigma, axis=0, mode="reflect") if sigma > 0 else upsample


def top_cosines(
    cosines: Float[Tensor, "level batch patch 2"], temperature: float, top_k: int
) -> Float[Tensor, "batch 2"]:
    """Return the mean cosines of the patches that look most abnormal, over all levels.

    Args:
        cosines: From :func:`text_patch_cosines`.
        temperature: τ; only the order of the patches depends on it.
        top_k: Patches taken at each level (``K``, 50 in the paper); all of them where there are fewer.
    """
    probability = abnormal_probability(cosines, temperature)
    chosen = probability.topk(min(top_k, probability.shape[-1]), dim=-1).indices
    gathered = cosines.gather(2, chosen[..., None].expand(-1, -1, -1, 2))
    return gathered.mean(dim=(0, 2))
