"""Familiarity: is an image like anything that the model was trained on, judged by the frozen tower alone?

    x = mean over tokens of what the tower saw         z = directions · (x − mean)
    distance = (Σ z² / variance + |x − mean − directionsᵀ z|² / rest) / width

A Gaussian with a few principal directions and one variance for the rest (probabilistic PCA) is fitted to
images of the training set; the threshold is a quantile of the distances of others from the same set, so that
a stated share of training-like images is called unfamiliar. An image beyond it gets no verdict: what a model
says of a world it never saw means nothing.

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
from zerosight.weights import load_tensors, save_tensors

FAMILIARITY = "familiarity.safetensors"
DIRECTIONS = 32
"""Principal directions that are kept, at most: our default."""

REFUSED = 0.01
"""Share of training-like images that are called unfamiliar: our default."""


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """What training images look like to the tower.

    Attributes:
        mean: Their mean feature.
        directions: Principal directions, orthonormal, the largest variance first.
        variances: Variance along each, above 0.
        rest: Variance along every other direction, above 0.
        threshold: Distances above it are unfamiliar.
    """

    mean: Float[Tensor, "vision"]
    directions: Float[Tensor, "k vision"]
    variances: Float[Tensor, "k"]
    rest: float
    threshold: float

    def distances(self, seen: Float[Tensor, "batch token vision"]) -> Float32[np.ndarray, "batch"]:
        """Return how far images are from those of training; about 1 for images like them.

        Args:
            seen: From ``mllm.see``.
        """
        away = seen.float().mean(1).cpu() - self.mean
        along = away @ self.directions.T
        other = (away.square().sum(1) - along.square().sum(1)).clamp(min=0)
        total = (along.square() / self.variances).sum(1) + other / self.rest
        return (total / self.mean.numel()).numpy()

    def is_familiar(self, seen: Float[Tensor, "batch token vision"]) -> list[bool]:
        """Return per image whether it is like those of training."""
        return (self.distances(seen) <= self.threshold).tolist()


def fit_familiarity(
    known: Float[Tensor, "images vision"],
    held_out: Float[Tensor, "others vision"],
    refused: float = REFUSED,
) -> Familiarity:
    """Return what training images look like, with the threshold that refuses a share of held-out ones.

    Args:
        known: Mean tower features of training images.
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
    known = known.float()
    mean = known.mean(0)
    _, spread, directions = torch.linalg.svd(known - mean, full_matrices=False)
    variances = (spread.square() / (len(known) - 1)).clamp(min=1e-12)
    count = max(1, min(DIRECTIONS, len(known) // 4, known.shape[1] // 2))
    rest = float(variances[count:].sum() / max(1, known.shape[1] - count)) or 1e-12
    found = Familiarity(mean, directions[:count].contiguous(), variances[:count].contiguous(), rest, np.inf)
    distances = found.distances(held_out[:, None])
    return replace(found, threshold=float(np.quantile(distances, 1 - refused)))


def save_familiarity(familiarity: Familiarity, folder: Path) -> None:
    """Write it beside a model's weights.

    Raises:
        OutputError: The folder cannot be written.
    """
    numbers = torch.tensor([familiarity.rest, familiarity.threshold], dtype=torch.float64)
    tensors = {name: getattr(familiarity, name) for name in ("mean", "directions", "variances")}
    save_tensors(tensors | {"rest_threshold": numbers}, folder / FAMILIARITY)


def load_familiarity(folder: Path) -> Familiarity:
    """Return what :func:`save_familiarity` wrote.

    Args:
        folder: A model folder.

    Raises:
        WeightsError: The file is missing or damaged.
    """
    path = folder / FAMILIARITY
    tensors = load_tensors(path)
    try:
        mean, directions, variances = (tensors[name] for name in ("mean", "directions", "variances"))
        rest, threshold = tensors["rest_threshold"].tolist()
        fits = mean.ndim == variances.ndim == 1 and directions.shape == (len(variances), len(mean))
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits or not (rest > 0 and bool((variances > 0).all())):
        raise WeightsError(f"{path}: is damaged; get the model again")
    return Familiarity(mean.float(), directions.float(), variances.float(), rest, threshold)
