"""Maps over a chest image: where it resembles a finding, and where the model looked.

Both have a fixed scale, 0 to 1, that means the same in every image. Nothing is stretched to the image's own
minimum and maximum: a map of a normal image looks like nothing.

- Similarity is (1 + cosine) / 2: 0.5 where an image token and the finding's anchor have nothing in common.
- Contrast is the probability of a finding's presence against its absence (or a normal chest), token by
  token, with the temperature of the scores: 0.5 where neither is nearer.
- Attention is r / (1 + r), where r is a token's share of the attention that falls on the image, divided by
  the share it would have if all were looked at alike: 0.5 there, 2/3 at twice that share, 0 at none.

Departures: the paper shows no maps; which there are and their scales are our defaults.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F

from zerosight.preprocess import Preprocess


def similarity_grids(
    tokens: Float[Tensor, "token dim"], vectors: Float[Tensor, "classes dim"]
) -> Float[Tensor, "classes grid grid"]:
    """Return the similarity of each vector to each image token, (1 + cosine) / 2.

    Args:
        tokens: Projected image tokens of one image, row by row from its top left corner.
        vectors: Anchors, such as ``anchors.presence``.
    """
    return _as_grids((1 + _cosines(tokens, vectors)) / 2)


def contrast_grids(
    tokens: Float[Tensor, "token dim"],
    presence: Float[Tensor, "classes dim"],
    against: Float[Tensor, "classes dim"],
    temperature: float,
) -> Float[Tensor, "classes grid grid"]:
    """Return each image token's probability of a finding against something else.

    Args:
        tokens: As for :func:`similarity_grids`.
        presence: Anchors of the findings.
        against: ``anchors.absence``, or ``anchors.normal`` repeated.
        temperature: Of the softmax over the two, above 0.
    """
    difference = _cosines(tokens, presence) - _cosines(tokens, against)
    return _as_grids(torch.sigmoid(difference / temperature))


def attention_grid(attention: Float[Tensor, "grid grid"]) -> Float[Tensor, "grid grid"]:
    """Return attention weights of the image tokens on the fixed scale; zeros if there is none.

    Args:
        attention: Weights of one image's tokens, at least 0; they need not sum to 1.
    """
    share = attention.float() / attention.float().sum().clamp(min=torch.finfo(torch.float32).tiny)
    ratio = share * attention.numel()
    return ratio / (1 + ratio)


def at_image_size(
    grids: Float[Tensor, "maps grid grid"], preprocess: Preprocess, size: tuple[int, int]
) -> Float32[np.ndarray, "maps height width"]:
    """Return grids over the model's square input as maps over the image, without the padding, bilinearly.

    Args:
        grids: Values in [0, 1].
        preprocess: How the image became the model's input.
        size: Height and width of the image, in pixels.
    """
    values = grids.detach().float().cpu().numpy()
    maps = np.empty((len(values), *size), dtype=np.float32)
    for grid, placed in zip(values, maps, strict=True):
        placed[:] = preprocess.unfit(grid, size).clip(0, 1)
    return maps


def _cosines(
    tokens: Float[Tensor, "token dim"], vectors: Float[Tensor, "classes dim"]
) -> Float[Tensor, "classes token"]:
    return F.normalize(vectors.float(), dim=-1) @ F.normalize(tokens.float(), dim=-1).T


def _as_grids(values: Float[Tensor, "classes token"]) -> Float[Tensor, "classes grid grid"]:
    side = math.isqrt(values.shape[1])
    if side * side != values.shape[1]:
        raise ValueError(f"{values.shape[1]} image tokens form no square grid")
    return values.unflatten(1, (side, side))
