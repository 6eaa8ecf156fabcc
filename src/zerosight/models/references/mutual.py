"""A batch as its own reference: its images are compared with each other, none is known to be normal.

What is normal is what most images have. A patch is therefore as unusual as it is far from its nearest patches
in the third of the other images that hold the most similar ones; a patch that only a few images know is far
even so. Above some hundreds of images, all are compared with the subspace that the calmer ones of a sample
span.

What many images have is normal here, whatever it is: a defect that repeats, or defects in half of the images,
are not found. Both are looked for (:func:`remarks`), and can be missed.

Departures: MuSc compares ViT-L's tokens pooled over three neighbourhoods, and re-scores images by their
neighbours; here the levels of :mod:`zerosight.models.references.tower` along their principal directions are
compared, with at most :data:`COMPARED` others.
Source: MuSc (arXiv 2401.16753), mutual scoring with interval average.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.models.references.estimators import Subspace, fit_subspace
from zerosight.models.references.fit import PIXELS_KEPT, pixel_bound
from zerosight.models.references.fusion import Fusion, as_array, fit_scales, top_mean
from zerosight.models.references.model import Base, References
from zerosight.models.references.moments import Moments
from zerosight.models.references.tower import Levels

FEWEST = 10
"""Fewer images say too little about each other."""
FIRST = 32
"""Images that principal directions are found on."""
LARGEST_BATCH = 300
"""Images that are compared with each other; of more, a sample of so many is."""
COMPARED = 100
"""Other images that an image is compared with, at most."""
LOWEST = 0.3
"""Share of them, those with the most similar patches, over which distances are averaged."""
CALM = 0.5
"""Share of the images, those with the lowest scores, on which scales are measured."""
KEPT = 0.7
"""Share of a sample that spans the subspace."""
TRUST = 0.4
"""Weight of the comparison beside the zero-shot model (see docs/references.md)."""
OUTLYING = 2.0
"""Robust deviations above the median beyond which an image stands out from its batch."""
HIGH = 0.1
"""Share of images that stand out above which one is told."""
EXTREME, ALIKE = 4.0, 0.4
"""Robust deviations from which on a patch is unlike most images, and how much nearer it is to its like."""
ECHO_PATCHES, ECHO_IMAGES = 0.005, 3
"""Share of an image's patches, and number of images, that make a repetition."""
CALM_PIXELS = 0.01
"""Share of the calmer images' pixels that lie in regions."""
ELEMENTS = 1 << 23
"""Distances in memory at once."""


Maps = list[tuple[Float[Tensor, "_"], Float[Tensor, "_ _"]]]
"""Per level: the mean patch and the principal directions."""


@dataclass(frozen=True, slots=True, eq=False)
class Mutual:
    """What the images of a batch say of each other's patches.

    Attributes:
        distances: To the most similar patches of the nearest third of the other images.
        near: To the most similar patch of the second nearest image.
        typical: The median over the other images.
    """

    distances: Float[Tensor, "image patch"]
    near: Float[Tensor, "image patch"]
    typical: Float[Tensor, "image patch"]


def along(levels: Levels, maps: Maps) -> Levels:
    """Return patches along principal directions, in half precision."""
    pairs = zip(levels, maps, strict=True)
    return tuple(((level - mean) @ directions).half() for level, (mean, directions) in pairs)


def compare(levels: Levels) -> Mutual:
    """Return what the images of a batch say of each other, as the mean over levels.

    Args:
        levels: Patches of at least three images in random order, along principal directions.
    """
    images, patches = levels[0].shape[:2]
    others = min(COMPARED, images - 1)
    lowest = max(1, round(LOWEST * others))
    found = torch.zeros(3, images, patches)
    for i in range(images):
        index = (i + 1 + torch.arange(others)) % images
        for level in levels:
            nearest = _nearest(level[i], level, index).sort(dim=0).values
            found[0, i] += nearest[:lowest].mean(0)
            found[1, i] += nearest[min(1, others - 1)]
            found[2, i] += nearest[others // 2]
    return Mutual(*(found / len(levels)))


def _nearest(
    patches: Float[Tensor, "patch direction"],
    level: Float[Tensor, "image patch direction"],
    index: Tensor,
) -> Float[Tensor, "other patch"]:
    """Return the distance of some patches to the nearest one of every other image."""
    mine, count = patches.float(), len(patches)
    own = mine.square().sum(1)
    found = []
    for some in index.split(max(1, ELEMENTS // count**2)):
        theirs = _every_second(level[some].float()).flatten(0, 1)
        squares = theirs.square().sum(1)[:, None] - 2 * theirs @ mine.T
        found.append(squares.unflatten(0, (len(some), -1)).amin(1) + own)
    return (torch.cat(found).clamp(min=0) / patches.shape[1]).sqrt()


def _every_second(
    level: Float[Tensor, "image patch direction"],
) -> Float[Tensor, "image fewer direction"]:
    """Return every second patch of every second row: each stands for its neighbourhood already."""
    side = round(level.shape[1] ** 0.5)
    return level.unflatten(1, (side, side))[:, ::2, ::2].flatten(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A batch that was judged by itself.

    Attributes:
        references: The zero-shot model with the scales and thresholds of the batch; it finishes sources.
        sources: What they say of every image.
        scores: Before the bend.
        bound: From which on a score stands out.
    """

    references: References
    sources: Float[Tensor, "image source patch"]
    scores: Float[np.ndarray, "image"]
    bound: float


def subspaces_of(levels: Levels, distances: Float[Tensor, "image patch"]) -> list[Subspace]:
    """Return the subspace of every level that the calmer images of a sample span.

    Args:
        levels: Patches of the sample.
        distances: What its images say of each other; those with the largest are left out.
    """
    order = top_mean(distances).argsort()[: max(1, round(KEPT * len(distances)))]
    return [fit_subspace(Moments.of(level[order].float())) for level in levels]


def judge(base: Base, sources: Float[Tensor, "image source patch"]) -> Judged:
    """Return a batch on the scales of its calmer images, with thresholds that its outliers reach.

    Args:
        base: The zero-shot model.
        sources: What its levels say of every image and, last, how far its patches are from the others'.
    """
    calm = sources[top_mean(sources[:, -1]).argsort()[: max(1, round(CALM * len(sources)))]]
    levels = sources.shape[1] - 1
    weights = torch.tensor([(1 - TRUST) / levels] * levels + [TRUST])
    fusion = Fusion(*fit_scales(calm), weights, torch.zeros(2))
    references = References(base, [], [], fusion)
    scores = as_array(top_mean(fusion(sources)))
    bound = outlier_bound(scores)
    pixel = pixel_bound(references, fusion(calm[:PIXELS_KEPT]), CALM_PIXELS)
    fusion.get_buffer("thresholds").copy_(torch.tensor([bound, pixel.threshold]))
    return Judged(references.eval().requires_grad_(False), sources, scores, bound)


def outlier_bound(scores: Float[np.ndarray, "image"]) -> float:
    """Return the score above which an image stands out from its batch.

    Spread is measured below the median, where anomalous images, which score high, do not reach.

    >>> float(round(outlier_bound(np.array([1.0, 2.0, 3.0, 4.0, 90.0])), 2))
    5.97
    """
    median = float(np.median(scores))
    below = median - scores[scores <= median]
    return median + OUTLYING * max(1.4826 * float(np.median(below)), 1e-6)


def remarks(judged: Judged, mutual: Mutual) -> Iterator[str]:
    """Yield what speaks against a batch as its own reference.

    Args:
        judged: The batch.
        mutual: What its images, or those of a sample, say of each other.
    """
    share = float((judged.scores >= judged.bound).mean())
    if share > HIGH:
        yield (
            f"{share:.0%} of the images stand out: where many are anomalous, they pass for normal; "
            "compare with normal images (--normals) instead"
        )
    repeated = repeats(mutual)
    if repeated >= ECHO_IMAGES:
        yield (
            f"{repeated} images have places that are like each other and unlike most images: a defect that "
            "repeats, or parts of two kinds; such places count for less than they should"
        )


def repeats(mutual: Mutual) -> int:
    """Return how many images have places that few others share, but share closely."""
    typical = mutual.typical
    median = typical.median()
    spread = 1.4826 * (typical - median).abs().median()
    echoes = (typical > median + EXTREME * spread) & (mutual.near < ALIKE * typical)
    return int((echoes.float().mean(1) >= ECHO_PATCHES).sum())
