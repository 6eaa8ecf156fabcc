"""Sums over normal patches: what more images are added to, and what principal directions are made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Additive sums over patches; those of two sets are added, those of one image taken away again.

    Attributes:
        count: Number of patches.
        total: Their sum.
        products: The sum of their outer products.
    """

    count: float
    total: Float[Tensor, "channel"]
    products: Float[Tensor, "channel channel"]

    @classmethod
    def of(cls, patches: Float[Tensor, "*batch channel"]) -> Moments:
        """Return the sums over some patches, in fp64: differences of large sums are taken later."""
        flat = patches.reshape(-1, patches.shape[-1]).float()
        return cls(float(len(flat)), flat.double().sum(0), (flat.T @ flat).double())

    def __add__(self, other: Moments) -> Moments:
        """Return the sums over the patches of both."""
        return Moments(self.count + other.count, self.total + other.total, self.products + other.products)

    def __sub__(self, other: Moments) -> Moments:
        """Return the sums without the patches of the other, which are among them."""
        return Moments(self.count - other.count, self.total - other.total, self.products - other.products)

    def mean(self) -> Float[Tensor, "channel"]:
        """Return the mean patch."""
        return (self.total / self.count).float()

    def deviations(self) -> Float[Tensor, "channel"]:
        """Return the patches' deviation along every channel, above 0."""
        mean = self.total / self.count
        return (self.products.diagonal() / self.count - mean.square()).clamp(min=1e-6).sqrt().float()

    def principal(self) -> tuple[Float[Tensor, "channel"], Float[Tensor, "channel channel"]]:
        """Return the variances along the principal directions, the largest first, and the directions."""
        mean = self.total / self.count
        covariance = (self.products / self.count - torch.outer(mean, mean)).float()
        variances, directions = torch.linalg.eigh((covariance + covariance.T) / 2)
        return variances.flip(0).clamp(min=0), directions.flip(1)
