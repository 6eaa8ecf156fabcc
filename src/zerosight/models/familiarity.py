"""Familiarity: is an image like those that a model was made from, judged by the frozen tower alone?

    x = what the tower saw of the whole image         z = directions · (x − mean)
    distance = (Σ z² / variance + |x − mean − directionsᵀ z|² / rest) / width

A Gaussian with a few principal directions and one variance for the rest (probabilistic PCA) is fitted to
images of the training set; the threshold is a quantile of the distances of others from the same set, so that
a stated share of training-like images is called unfamiliar. An image beyond it gets no verdict: what a model
says of a world it never saw means nothing.

Where a few images are all there is, as with references, they may be so alike that any defect is far from
them. An image is then unfamiliar only if it is also away from their mean, in root mean square over the
numbers of x, by a good part of the deviation that their patches have.

Departures: the paper has no such check; it is ours.
Source: Tipping & Bishop, "Probabilistic Principal Component Analysis", 1999.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from zerosight.errors import DataError, WeightsError
from zerosight.models.folder import read_weights
from zerosight.weights import save_tensors

FAMILIARITY = "familiarity.safetensors"
DIRECTIONS = 32
"""Principal directions that are kept, at most: our default."""

REFUSED = 0.01
"""Share of training-like images that are called unfamiliar: our default."""

FEWEST = 8
"""Images without others to choose a threshold on, from which one is chosen among themselves."""
MARGIN = 2.0
"""What their largest held-out distance is multiplied by, so that a defect is not another world."""
SHIFT = 0.8
"""Of the patches' deviation: an image no farther from the mean is familiar (see docs/references.md)."""
MOST = 256
"""Of such images that are looked at, evenly among all, for the time that it takes."""
FOLDS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """What the images that a model was made from look like to the tower.

    Attributes:
        mean: Their mean feature.
        directions: Principal directions, orthonormal, the largest variance first.
        variances: Variance along each, above 0.
        rest: Variance along every other direction, above 0.
        threshold: Distances above it are unfamiliar.
        spread: Deviation of the patches along every number of the feature, above 0; None where the threshold
            alone decides.
    """

    mean: Float[Tensor, "dim"]
    directions: Float[Tensor, "k dim"]
    variances: Float[Tensor, "k"]
    rest: float
    threshold: float
    spread: Float[Tensor, "dim"] | None = None

    def distances(self, looks: Float[Tensor, "batch dim"]) -> Float32[np.ndarray, "batch"]:
        """Return how far images are from those that were fitted; about 1 for images like them.

        Args:
            looks: A feature of each image as a whole, such as the mean over what the tower saw.
        """
        away = looks.float().cpu() - self.mean
        along = away @ self.directions.T
        other = (away.square().sum(1) - along.square().sum(1)).clamp(min=0)
        total = (along.square() / self.variances).sum(1) + other / self.rest
        return (total / self.mean.numel()).numpy()

    def is_familiar(self, looks: Float[Tensor, "batch dim"]) -> list[bool]:
        """Return per image whether it is like those that were fitted."""
        near = self.distances(looks) <= self.threshold
        if self.spread is not None:
            shift = ((looks.float().cpu() - self.mean) / self.spread).square().mean(1).sqrt()
            near |= shift.numpy() <= SHIFT
        return near.tolist()


def fit_familiarity(
    known: Float[Tensor, "images dim"],
    held_out: Float[Tensor, "others dim"],
    refused: float = REFUSED,
) -> Familiarity:
    """Return what training images look like, with the threshold that refuses a share of held-out ones.

    Args:
        known: Tower features of training images, one each.
        held_out: Of other images of the same kind.
        refused: That share, in (0, 1).

    Raises:
        DataError: There are too few images for the share.
    """
    needed = int(np.ceil(1 / refused))
    if len(known) < 2 or len(held_out) < needed:
        raise DataError(
            f"familiarity needs 2 training images and {needed} held-out ones to refuse {refused:g} of them; "
            f"there are {len(known)} and {len(held_out)}"
        )
    found = _gaussian(known.float())
    distances = found.distances(held_out)
    return replace(found, threshold=float(np.quantile(distances, 1 - refused)))


def among(looks: Float[Tensor, "images dim"], spread: Float[Tensor, "dim"]) -> Familiarity | None:
    """Return what a few images look like, with a threshold from themselves; None of too few.

    Each is held to a Gaussian made without its fold. A further image of the same kind is as likely to be the
    farthest as any of the n that are there, so at most one in n + 1 is beyond the largest of their distances,
    and fewer beyond :data:`MARGIN` times that, which leaves room for images with a defect.

    Args:
        looks: Tower features of the images, one each.
        spread: As in :class:`Familiarity`.
    """
    if len(looks) < FEWEST:
        return None
    some = looks[:: -(-len(looks) // MOST)].float()
    folds = torch.arange(len(some)) % FOLDS
    held_out = [_gaussian(some[folds != fold]).distances(some[folds == fold]) for fold in range(FOLDS)]
    threshold = MARGIN * float(np.concatenate(held_out).max())
    return replace(_gaussian(some), threshold=threshold, spread=spread)


def _gaussian(known: Float[Tensor, "images dim"]) -> Familiarity:
    """Return the Gaussian of images, to which no distance is unfamiliar yet."""
    mean = known.mean(0)
    _, spread, directions = torch.linalg.svd(known - mean, full_matrices=False)
    variances = (spread.square() / (len(known) - 1)).clamp(min=1e-12)
    count = max(1, min(DIRECTIONS, len(known) // 4, known.shape[1] // 2))
    rest = float(variances[count:].sum() / max(1, known.shape[1] - count)) or 1e-12
    return Familiarity(mean, directions[:count].contiguous(), variances[:count].contiguous(), rest, np.inf)


def save_familiarity(familiarity: Familiarity, folder: Path) -> None:
    """Write it beside a model's weights.

    Raises:
        OutputError: The folder cannot be written.
    """
    numbers = torch.tensor([familiarity.rest, familiarity.threshold], dtype=torch.float64)
    tensors = {name: getattr(familiarity, name) for name in ("mean", "directions", "variances")}
    save_tensors(tensors | {"rest_threshold": numbers}, folder / FAMILIARITY)


def load_familiarity(folder: Path, digest: str = "") -> Familiarity:
    """Return what :func:`save_familiarity` wrote.

    Args:
        folder: A model folder.
        digest: SHA-256 that its card gives; empty if it gives none.

    Raises:
        WeightsError: The file is missing or damaged, or not the one the card describes.
    """
    path = folder / FAMILIARITY
    tensors = read_weights(path, digest)
    try:
        mean, directions, variances = (tensors[name] for name in ("mean", "directions", "variances"))
        rest, threshold = tensors["rest_threshold"].tolist()
        fits = mean.ndim == variances.ndim == 1 and directions.shape == (len(variances), len(mean))
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits or not (rest > 0 and bool((variances > 0).all())):
        raise WeightsError(f"{path}: is damaged; get the model again")
    return Familiarity(mean.float(), directions.float(), variances.float(), rest, threshold)
