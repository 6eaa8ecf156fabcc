"""Scores of findings: one matrix product between image features and vectors of a label list.

    cosine      cos(z, s_c)                                            a cosine, in [−1, 1]
    vs-normal   softmax over (class, normal) of cos/τ, its first:      a probability, in [0, 1]
                σ((cos(z, s_c) − cos(z, n)) / τ)
    pos-neg     presence against absence of the finding:               a probability, in [0, 1]
                σ((cos(z, s_c) − cos(z, a_c)) / τ)

Both contrasts are linear in z, so a class has one vector, s_c − n or s_c − a_c, and all classes together cost
one product. "No finding" is special once, here: its presence *is* the normal description, so in vs-normal it
is held against its own absence, not against itself, and nothing is negated.
The probabilities are the model's own; :mod:`.calibration` holds them to labels.
Departures: the paper scores by similarity; the contrasts are ours.
Source: LLaVA-RadZ (arXiv 2503.07487), zero-shot recognition.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zerosight.choices import ScoreMode
from zerosight.data.chest.names import NO_FINDING, canonical
from zerosight.models.llava_radz.anchors import Anchors


def finding_scores(
    image: Float[Tensor, "batch dim"],
    anchors: Anchors,
    mode: ScoreMode = "pos-neg",
    temperature: Float[Tensor, ""] | float = 0.07,
) -> Float[Tensor, "batch classes"]:
    """Return a score per image and finding, higher where it is more likely present.

    Args:
        image: Global features, of any length but 0.
        anchors: Of the findings asked for.
        mode: ``cosine`` gives cosines in [−1, 1]; ``vs-normal`` and ``pos-neg`` give probabilities in [0, 1].
        temperature: τ, above 0; cosines do not depend on it.
    """
    vectors = class_vectors(anchors, mode).to(image.device)
    with torch.autocast(image.device.type, enabled=False):
        agreement = F.normalize(image.float(), dim=-1) @ vectors.T
    if mode == "cosine":
        return agreement.clamp(-1, 1)
    return torch.sigmoid(agreement.double() / temperature)  # in fp32 every logit above 17 would be a plain 1


def class_vectors(anchors: Anchors, mode: ScoreMode) -> Float[Tensor, "classes dim"]:
    """Return the vector of each finding whose product with an image's feature decides its score.

    Args:
        anchors: Of the findings asked for.
        mode: As in :func:`finding_scores`; for the contrasts it is a difference of two unit vectors.
    """
    if mode == "cosine":
        return anchors.presence
    if mode == "pos-neg":
        return anchors.presence - anchors.absence
    is_normal = [canonical(name) == NO_FINDING for name in anchors.names]
    own = torch.tensor(is_normal, device=anchors.presence.device)[:, None]
    return anchors.presence - torch.where(own, anchors.absence, anchors.normal)
