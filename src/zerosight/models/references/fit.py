"""From normal images to references: one pass over them, a block at a time, and their leave-one-out maps.

Every image is judged by references that were made without it. What is kept does not grow with the images but
for their own maps, and more images can be added later without the old ones: the old ones keep the held-out
maps that they had, which fewer references made and which are therefore rather too large than too small.

Images that the others do not explain at all are left out, and named: a defective part among the normal ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.errors import DataError
from zerosight.models.familiarity import Familiarity, among
from zerosight.models.references.block import Block, Units, units_of
from zerosight.models.references.card import EstimatorName
from zerosight.models.references.conformal import Promise, check_alpha, image_promise, pixel_promise
from zerosight.models.references.coreset import LARGEST, Coreset, Patches, candidates, farthest_first
from zerosight.models.references.estimators import Nearest, fit_nearest, fit_subspace
from zerosight.models.references.fusion import Fusion, as_array, fit_scales, top_mean
from zerosight.models.references.model import Base, References, as_grid, join, mean_of
from zerosight.models.references.moments import Moments
from zerosight.models.references.tower import whole
from zerosight.models.references.turning import TURNS, Augment

TRIMMED_FROM = 8
"""Fewer normal images do not show which of them is unlike the others."""
SUSPICIOUS = 6.0
"""Robust deviations from the median beyond which a normal image is left out."""
MOST_TRIMMED = 0.2
TRUST = 0.75
"""Weight of the references beside the zero-shot model, with many normal images (see docs/references.md)."""
AS_WELL = 1.25
"""How much farther than upright a turned image may be from the others."""
PIXELS_KEPT = 512
"""Images whose held-out maps the pixel threshold is chosen on, at most."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A normal image that the others do not explain.

    Attributes:
        name: What it is called.
        deviation: Robust deviations of its held-out score from the median of all.
    """

    name: str
    deviation: float


@dataclass(frozen=True, slots=True, eq=False)
class Normals:
    """What is known of normal images: all that more of them are added to.

    Attributes:
        names: Of the images, in the order in which they came.
        hashes: Of their pixels, likewise.
        moments: Of their patches, per level.
        coresets: Some of their patches, per level.
        held_out: What the sources say of every image's patches, made without it.
        estimators: Which references compare; they are the last sources.
        suspects: Images that were left out.
        augment: Which copies of the images are among the references.
        looks: Of every image as a whole; None in folders from before these were kept.
    """

    names: tuple[str, ...]
    hashes: tuple[str, ...]
    moments: tuple[Moments, ...]
    coresets: tuple[Coreset, ...]
    held_out: Float[Tensor, "image source patch"]
    estimators: tuple[EstimatorName, ...] = ("nearest",)
    suspects: tuple[Suspect, ...] = ()
    augment: Augment = "none"
    looks: Float[Tensor, "known dim"] | None = None

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """References and what their thresholds promise, on the scale before the bend.

    Attributes:
        references: The model.
        image: The promise of the threshold of scores.
        pixel: That of maps.
        familiarity: Tells images like the normal ones from those of another world; None of too few images.
    """

    references: References
    image: Promise
    pixel: Promise
    familiarity: Familiarity | None = None


def add_block(
    normals: Normals | None, block: Block, estimators: tuple[EstimatorName, ...] = ("nearest",)
) -> Normals:
    """Return the normals with some more; those that the others do not explain are left out.

    Args:
        normals: Earlier ones; None where there are none.
        block: At least one image.
        estimators: Which references compare; those of earlier images stay.
    """
    estimators = estimators if normals is None else normals.estimators
    added, held_out = _added(normals, block, estimators)
    everything = _joined(normals, held_out)
    deviations = robust_deviations(everything[:, -len(estimators) :])[-len(block.names) :]
    order = np.argsort(-deviations)
    most = int(MOST_TRIMMED * len(block.names)) if len(everything) >= TRIMMED_FROM else 0
    left_out = {int(i) for i in order[:most] if deviations[i] > SUSPICIOUS}
    suspects = tuple(Suspect(block.names[i], float(deviations[i])) for i in sorted(left_out))
    if suspects:
        block = block.take([i for i in range(len(block.names)) if i not in left_out])
        added, held_out = _added(normals, block, estimators)
    before = () if normals is None else normals.suspects
    return replace(added, held_out=_joined(normals, held_out), suspects=before + suspects)


def choose_augment(block: Block) -> Augment:
    """Return the copies that look as normal as the images themselves do.

    If parts come in any position, a turned image is no farther from the others than it is as it lies. If they
    lie the same way, it is; then copies would only make defects look normal.

    Args:
        block: Some normal images with all their copies; a single one chooses none.
    """
    if len(block.names) < 2:
        return "none"
    plain = block.only("none")
    units, owners = units_of(plain, alone=True), torch.arange(len(block.names))
    upright = [Patches(level, block.words, owners, plain.places()) for level in block.levels]
    known = [_grow(None, patches, 0) for patches in upright]

    def unexplained(copies: Block) -> float:
        found = [
            _held_out_nearest(own, patches, units, *grown)[0]
            for own, patches, grown in zip(copies.levels, upright, known, strict=True)
        ]
        return float(top_mean(mean_of(found)).mean())

    usual = AS_WELL * unexplained(plain)
    chosen: Augment = "none"
    turned = {turn: unexplained(copies) for turn, copies in block.turned.items()}
    for augment, turns in TURNS.items():
        if turns and np.mean([turned[turn] for turn in turns]) <= usual:
            chosen = augment
    return chosen


def robust_deviations(distances: Float[Tensor, "image source patch"]) -> Float[np.ndarray, "image"]:
    """Return how far every image's distances to the others lie above the median, in robust deviations."""
    scores = as_array(top_mean(distances))
    median = np.median(scores, axis=0)
    spread = 1.4826 * np.median(np.abs(scores - median), axis=0)
    return np.asarray(((scores - median) / np.maximum(spread, 0.02 * np.abs(median) + 1e-9)).mean(1))


def weights_of(images: int, levels: int, references: int) -> Float[Tensor, "source"]:
    """Return the weights of the sources: the more normal images, the more references count.

    Args:
        images: Number of normal images.
        levels: Of the zero-shot model, which share what is left.
        references: Number of sources that compare with normal images; they come last.

    >>> weights_of(1, 3, 1)
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    >>> weights_of(4, 2, 1)
    tensor([0.2500, 0.2500, 0.5000])
    """
    trust = TRUST * images / (images + 2) if levels else 1.0
    return torch.tensor([(1 - trust) / max(levels, 1)] * levels + [trust / references] * references)


def build(base: Base, normals: Normals, alpha: float = 0.05, pixel_alpha: float = 0.01) -> Fitted:
    """Return the references that some normal images make.

    Args:
        base: The zero-shot model, or an image tower alone.
        normals: At least one.
        alpha: Share of normal images that may be called anomalous, in (0, 0.5].
        pixel_alpha: Share of normal images' pixels that may lie in a region, in (0, 0.5].

    Raises:
        ConfigError: A share is out of its range.
    """
    check_alpha(alpha)
    check_alpha(pixel_alpha)
    pairs = list(zip(normals.moments, normals.coresets, strict=True))
    kinds = normals.estimators
    subspaces = [fit_subspace(moments) for moments, _ in pairs if "subspace" in kinds]
    searches = [_search(moments, coreset) for moments, coreset in pairs if "nearest" in kinds]
    weights = weights_of(len(normals), normals.held_out.shape[1] - len(kinds), len(kinds))
    fusion = Fusion(*fit_scales(normals.held_out), weights, torch.zeros(2))
    references = References(base, subspaces, searches, fusion)
    fused = fusion(normals.held_out)
    image = image_promise(as_array(top_mean(fused)), alpha)
    pixel = pixel_bound(references, fused[-PIXELS_KEPT:], pixel_alpha)
    if len(normals) == 1:  # its halves are more alike than it and a new image
        image, pixel = image.withdrawn(), pixel.withdrawn()
    fusion.get_buffer("thresholds").copy_(torch.tensor([image.threshold, pixel.threshold]))
    return Fitted(references.eval().requires_grad_(False), image, pixel, _familiarity(normals))


def pixel_bound(references: References, fused: Float[Tensor, "image patch"], alpha: float) -> Promise:
    """Return the threshold of regions, from every fourth pixel, in both directions, of fused maps.

    Args:
        references: Whose maps they are.
        fused: Of normal images, held out.
        alpha: Share of their pixels that may lie in a region, in (0, 0.5].
    """
    few = torch.from_numpy(references.spread()[::4]).float()
    return pixel_promise(as_array(few @ as_grid(fused) @ few.T), alpha)


def _familiarity(normals: Normals) -> Familiarity | None:
    """Return what tells images like the normal ones from those of another world, if that is known."""
    if normals.looks is None:
        return None
    return among(normals.looks, torch.cat([moments.deviations() for moments in normals.moments]))


def _joined(normals: Normals | None, held_out: Tensor) -> Tensor:
    """Return the held-out maps of earlier and of new images."""
    return held_out if normals is None else torch.cat([normals.held_out, held_out])


def _with(before: Tensor | None, looks: Tensor) -> Tensor | None:
    """Return the looks of earlier and of new images; None where those of the earlier ones are not known."""
    return None if before is None else torch.cat([before, looks])


def _added(
    normals: Normals | None, block: Block, estimators: tuple[EstimatorName, ...]
) -> tuple[Normals, Tensor]:
    """Return the normals with a block, and what the sources say of the block's images without them."""
    if not block.names:
        raise DataError("no normal image is left; give at least one that can be read")
    first = 0 if normals is None else len(normals)
    units, everything = units_of(block, alone=normals is None), block.copies()
    owners = torch.arange(len(block.names)).repeat(1 + len(block.turned)) + first
    moments, coresets = [], []
    residuals: list[Tensor] = []
    found: list[tuple[Tensor, Tensor]] = []
    for i, level in enumerate(everything.levels):
        before = None if normals is None else (normals.moments[i], normals.coresets[i])
        patches = Patches(level, everything.words, owners, block.places())
        total, coreset = _grow(before, patches, first)
        moments.append(total)
        coresets.append(coreset)
        if "subspace" in estimators:
            residuals.append(_held_out_subspace(patches, units, total))
        if "nearest" in estimators:
            found.append(_held_out_nearest(level[: len(block.names)], patches, units, total, coreset, first))
    held_out, looks = (  # as they are stored
        one.half().float() for one in (join(block.words, residuals, found), whole(block.levels))
    )
    nothing = Normals((), (), (), (), held_out, augment=block.augment, looks=looks)
    earlier = nothing if normals is None else normals
    known = looks if normals is None else _with(normals.looks, looks)
    grown = replace(
        earlier,
        names=earlier.names + block.names,
        hashes=earlier.hashes + block.hashes,
        moments=tuple(moments),
        coresets=tuple(coresets),
        held_out=held_out,
        estimators=estimators,
        looks=known,
    )
    return grown, held_out


def _grow(before: tuple[Moments, Coreset] | None, patches: Patches, first: int) -> tuple[Moments, Coreset]:
    """Return the moments and the coreset with some more images."""
    total, offered = Moments.of(patches.level), candidates(patches, torch.Generator().manual_seed(first))
    if before is not None:
        total, offered = before[0] + total, before[1] + offered
    coreset = offered.take(farthest_first(_search(total, offered).get_buffer("bank"), LARGEST))
    return total, replace(coreset, entries=coreset.entries.half(), words=coreset.words.half())


def _search(moments: Moments, coreset: Coreset) -> Nearest:
    return fit_nearest(moments, coreset.entries.float(), coreset.words.float())


def _held_out_subspace(patches: Patches, units: Units, total: Moments) -> Float[Tensor, "image patch"]:
    """Return every patch's distance to a subspace made without its fold."""
    own = patches.level[: len(units.own)]
    found = torch.empty(units.own.shape)
    for fold in units.folds():
        rest = total - Moments.of(patches.level[torch.isin(units.copies, fold)])
        mine = torch.isin(units.own, fold)
        found[mine] = fit_subspace(rest)(own[mine]) if rest.count >= 1 else 0.0
    return found


def _held_out_nearest(
    own: Float[Tensor, "image patch channel"],
    patches: Patches,
    units: Units,
    total: Moments,
    coreset: Coreset,
    first: int = 0,
) -> tuple[Float[Tensor, "image patch"], Float[Tensor, "image patch words"]]:
    """Return what every patch's nearest entries that are not of its own unit say of it.

    The directions along which they are sought are made without its fold as well: those of a new image's
    peculiarities are not among them either.
    """
    owners = units.of(coreset, first)
    distances, words = torch.empty(units.own.shape), torch.empty(*units.own.shape, coreset.words.shape[1])
    for fold in units.folds():
        rest = total - Moments.of(patches.level[torch.isin(units.copies, fold)])
        search = _search(rest if rest.count >= 1 else total, coreset)
        for unit in fold.tolist():
            mine, others = units.own == unit, (owners != unit).nonzero()[:, 0]
            distances[mine], words[mine] = search.compare(own[mine], others if len(others) else None)
    return distances, words
