"""DFAT, decoding-side feature alignment training: every image finds its report, every report its image.

    l_ij = cos(z_i, w_j) / τ        image → text: mean_i −log softmax_j(l_ij)[i]        text → image: of lᵀ

Two studies may carry the same report ("No acute findings."). Neither is a wrong answer for the other, so
pairs of equal text other than a study's own are left out of its denominators, in both directions.
Departures: the paper names the contrastive loss; leaving out equal texts is our default.
Source: LLaVA-RadZ (arXiv 2503.07487), decoding-side feature alignment training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """The two halves of a symmetric contrastive loss, each at least 0."""

    image_to_text: Float[Tensor, ""]
    text_to_image: Float[Tensor, ""]

    @property
    def mean(self) -> Float[Tensor, ""]:
        """The symmetric loss."""
        return (self.image_to_text + self.text_to_image) / 2


def info_nce(
    image: Float[Tensor, "batch dim"],
    text: Float[Tensor, "batch dim"],
    temperature: Float[Tensor, ""] | float,
    text_ids: Int[Tensor, "batch"] | None = None,
) -> Float[Tensor, ""]:
    """Return the symmetric InfoNCE loss of a batch of pairs, at least 0; 0 for a single pair.

    Args:
        image: Features of the images, of any length but 0; they are compared by cosine.
        text: Features of their texts, likewise.
        temperature: τ, above 0.
        text_ids: Equal numbers where texts are equal; None leaves no pair out.
    """
    return info_nce_directions(image, text, temperature, text_ids).mean


def info_nce_directions(
    image: Float[Tensor, "batch dim"],
    text: Float[Tensor, "batch dim"],
    temperature: Float[Tensor, ""] | float,
    text_ids: Int[Tensor, "batch"] | None = None,
) -> Directions:
    """Return both halves of :func:`info_nce`, whose arguments it takes."""
    logits = scaled_cosines(image, text, temperature)
    if text_ids is not None:
        same = text_ids[:, None] == text_ids[None, :]
        same.fill_diagonal_(False)
        logits = logits.masked_fill(same, -torch.inf)
    own = torch.arange(len(logits), device=logits.device)
    return Directions(F.cross_entropy(logits, own), F.cross_entropy(logits.T, own))


def scaled_cosines(
    rows: Float[Tensor, "row dim"],
    columns: Float[Tensor, "column dim"],
    temperature: Float[Tensor, ""] | float,
) -> Float[Tensor, "row column"]:
    """Return cosines over τ, in fp32 at least, under autocast too.

    Args:
        rows: Vectors of any length but 0.
        columns: Likewise.
        temperature: τ, above 0.
    """
    with torch.autocast(rows.device.type, enabled=False):
        kind = torch.promote_types(torch.promote_types(rows.dtype, columns.dtype), torch.float32)
        left, right = (F.normalize(vectors.to(kind), dim=-1) for vectors in (rows, columns))
        return left @ right.T / temperature
