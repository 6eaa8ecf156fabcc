"""DKAM, domain knowledge anchoring module: features are drawn to the anchors of their diseases.

    l_c = cos(z, s_c) / τ
    of a sample with diseases Y:  mean_{c ∈ Y} −log( exp l_c / (exp l_c + Σ_{c' ∉ Y} exp l_c') )

A sample's other diseases are no wrong answers, so they are left out of the denominator; a sample without any
is left out of the mean. Anchors are constants of the loss, "no finding" is a category like any other.
Departures: the paper names the loss; the treatment of several diseases per sample is our default.
Source: LLaVA-RadZ (arXiv 2503.07487), domain knowledge anchoring module.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from zerosight.models.llava_radz.dfat import scaled_cosines


def category_loss(
    image: Float[Tensor, "batch dim"],
    text: Float[Tensor, "batch dim"],
    anchors: Float[Tensor, "classes dim"],
    labels: Bool[Tensor, "batch classes"],
    temperature: Float[Tensor, ""] | float,
) -> Float[Tensor, ""]:
    """Return the category loss, at least 0, the mean of its image and text terms.

    Args:
        image: Global features of the images, of any length but 0; they are compared by cosine.
        text: Global features of their texts, likewise.
        anchors: A vector per category; no gradient reaches them.
        labels: True where a sample has the category.
        temperature: τ, above 0.
    """
    terms = [category_term(features, anchors, labels, temperature) for features in (image, text)]
    return (terms[0] + terms[1]) / 2


def category_term(
    features: Float[Tensor, "batch dim"],
    anchors: Float[Tensor, "classes dim"],
    labels: Bool[Tensor, "batch classes"],
    temperature: Float[Tensor, ""] | float,
) -> Float[Tensor, ""]:
    """Return one modality's term of :func:`category_loss`; 0, without a pull, if no sample has a label."""
    logits = scaled_cosines(features, anchors.detach(), temperature)
    nothing = torch.finfo(logits.dtype).min / 2  # finite, so that a sample with every category has gradients
    wrong = logits.masked_fill(labels, nothing).logsumexp(dim=1, keepdim=True)
    right = -F.logsigmoid(logits - wrong)
    diseases = labels.sum(dim=1)
    per_sample = right.masked_fill(~labels, 0).sum(dim=1) / diseases.clamp(min=1)
    return per_sample.sum() / diseases.count_nonzero().clamp(min=1)
