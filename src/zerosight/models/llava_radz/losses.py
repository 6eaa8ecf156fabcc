"""The training loss: alignment of global features, of local features, and anchoring to categories.

    total = w_g · InfoNCE(global) + w_l · InfoNCE(local) + λ · category(global)

Every term is a mean over the whole batch it is given: with several processes, gather the features first
(:func:`zerosight.train.radz.gather.gather_with_grad`), so that all pairs are each other's negatives.
Departures: none. The paper gives no weights; 1, 1 and λ = 1 are our defaults.
Source: LLaVA-RadZ (arXiv 2503.07487), training objective.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from zerosight.models.llava_radz.config import LossWeights
from zerosight.models.llava_radz.dfat import info_nce
from zerosight.models.llava_radz.dkam import category_loss

__all__ = ["PairFeatures", "RadzLosses", "category_loss", "info_nce", "radz_losses"]


@dataclass(frozen=True, slots=True, eq=False)
class PairFeatures:
    """Features of a batch of pairs and what is known of them.

    Attributes:
        image: Global features of the images, of any length but 0.
        text: Global features of their texts.
        image_local: Local features of the images.
        text_local: Local features of their texts.
        labels: True where a sample has the category; False everywhere leaves the sample out of that term.
        text_ids: Equal numbers where texts are equal; None leaves no pair out of the negatives.
    """

    image: Float[Tensor, "batch dim"]
    text: Float[Tensor, "batch dim"]
    image_local: Float[Tensor, "batch dim"]
    text_local: Float[Tensor, "batch dim"]
    labels: Bool[Tensor, "batch classes"]
    text_ids: Int[Tensor, "batch"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RadzLosses:
    """The terms of the loss, each at least 0 and not yet weighted, and their weighted sum."""

    global_: Float[Tensor, ""]
    local: Float[Tensor, ""]
    category: Float[Tensor, ""]
    total: Float[Tensor, ""]


def radz_losses(
    features: PairFeatures,
    anchors: Float[Tensor, "classes dim"],
    temperature: Float[Tensor, ""] | float,
    weights: LossWeights | None = None,
) -> RadzLosses:
    """Return every term of the loss and the total.

    Args:
        features: Of the whole batch.
        anchors: A vector per category, in the order of the labels; no gradient reaches them.
        temperature: τ, above 0, of all terms.
        weights: What each term counts.
    """
    count = weights or LossWeights()
    pooled = info_nce(features.image, features.text, temperature, features.text_ids)
    local = info_nce(features.image_local, features.text_local, temperature, features.text_ids)
    category = category_loss(features.image, features.text, anchors, features.labels, temperature)
    total = count.pooled * pooled + count.local * local + count.category * category
    return RadzLosses(pooled, local, category, total)
