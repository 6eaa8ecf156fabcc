"""How far a patch is from the normal ones: two estimators behind one protocol.

- :class:`Subspace`: the normal patches' principal directions; the distance is what they leave of a patch.
- :class:`Nearest`: a bounded choice of normal patches, whitened in part; the distance is that to the nearest.
  It also knows what the zero-shot model says of normal patches that look like the one at hand.

Both are two matrix products per level. Their state is a few small matrices, whatever the number of images.

Departures: SubspaceAD keeps 99 % of the variance of DINOv2-g; here fewer directions serve better (see
docs/references.md). Whitening is partial: a direction is divided by the fourth root of its variance.
Source: SubspaceAD (arXiv 2602.23013); PatchCore (arXiv 2106.08265).
"""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from zerosight.models.references.moments import Moments

KEPT = 0.9
"""Share of the variance that the subspace keeps."""
DIRECTIONS = 128
"""Most directions along which nearest patches are sought."""
WHITENING = 0.25
ALIKE = 5
"""Normal patches over which the words' opinion of what looks like a patch is averaged."""
FLOOR = 1e-3

Patches = Float[Tensor, "*batch channel"]


class Estimator(Protocol):
    """Distances of patches to the normal ones."""

    def __call__(self, patches: Patches) -> Float[Tensor, "*batch"]:
        """Return a distance per patch, at least 0."""
        ...


class Subspace(nn.Module):
    """Distance to the space that the normal patches span.

    Args:
        mean: Of the normal patches.
        basis: Their principal directions, orthonormal columns.
    """

    def __init__(self, mean: Float[Tensor, "channel"], basis: Float[Tensor, "channel direction"]) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("basis", basis)

    def forward(self, patches: Patches) -> Float[Tensor, "*batch"]:
        """Return the root mean square, over channels, of what the basis leaves of every patch."""
        basis = self.get_buffer("basis")
        centred = patches - self.get_buffer("mean")
        rest = centred.square().sum(-1) - (centred @ basis).square().sum(-1)
        return (rest.clamp(min=0) / len(basis)).sqrt()


class Nearest(nn.Module):
    """Distance to the nearest of some normal patches.

    Args:
        mean: Of the normal patches.
        projection: Principal directions, each scaled: whitening in part.
        bank: The chosen patches, projected.
        words: What the levels of the zero-shot model say of each.
    """

    def __init__(
        self,
        mean: Float[Tensor, "channel"],
        projection: Float[Tensor, "channel direction"],
        bank: Float[Tensor, "entry direction"],
        words: Float[Tensor, "entry words"],
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("projection", projection)
        self.register_buffer("bank", bank)
        self.register_buffer("words", words)

    def forward(self, patches: Patches) -> Float[Tensor, "*batch"]:
        """Return the root mean square difference of every patch to the nearest entry."""
        return self._root(self.squares(patches).amin(-1))

    def compare(
        self, patches: Patches, entries: Int[Tensor, "kept"] | None = None
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch words"]]:
        """Return the same, and what the zero-shot model says of the normal patches that look most alike.

        Args:
            patches: Any number.
            entries: Those to compare with; None takes all.
        """
        squares, words = self.squares(patches), self.get_buffer("words")
        if entries is not None:
            squares, words = squares[..., entries], words[entries]
        near = squares.topk(min(ALIKE, len(words)), dim=-1, largest=False)
        return self._root(near.values.amin(-1)), words[near.indices].mean(-2)

    def nearest(self, patches: Patches) -> Int[Tensor, "*batch"]:
        """Return which entry is nearest to every patch."""
        return self.squares(patches).argmin(-1)

    def squares(self, patches: Patches) -> Float[Tensor, "*batch entry"]:
        """Return the squared distance of every patch to every entry, up to rounding."""
        bank = self.get_buffer("bank")
        projected = (patches - self.get_buffer("mean")) @ self.get_buffer("projection")
        squares = projected.square().sum(-1, keepdim=True) + bank.square().sum(-1)
        return squares - 2 * projected @ bank.T

    def _root(self, squares: Tensor) -> Tensor:
        return (squares.clamp(min=0) / len(self.get_buffer("mean"))).sqrt()


def fit_subspace(moments: Moments, kept: float = KEPT) -> Subspace:
    """Return the subspace that keeps a share of the normal patches' variance.

    Args:
        moments: Of the normal patches.
        kept: Share of the variance, in (0, 1).
    """
    variances, directions = moments.principal()
    share = variances.cumsum(0) / variances.sum().clamp(min=torch.finfo(variances.dtype).tiny)
    count = min(int((share < kept).sum()) + 1, len(variances))
    return Subspace(moments.mean(), directions[:, :count].contiguous())


def fit_nearest(
    moments: Moments, entries: Float[Tensor, "entry channel"], words: Float[Tensor, "entry words"]
) -> Nearest:
    """Return the search among some normal patches, along their principal directions.

    Args:
        moments: Of all normal patches.
        entries: The chosen ones.
        words: What the zero-shot model says of each, by level.
    """
    mean, projection = principal_map(moments)
    return Nearest(mean, projection, (entries - mean) @ projection, words)


def principal_map(moments: Moments) -> tuple[Float[Tensor, "channel"], Float[Tensor, "channel direction"]]:
    """Return the mean patch and the principal directions, each scaled: whitening in part."""
    variances, directions = moments.principal()
    count = min(DIRECTIONS, len(variances))
    largest = variances[0].clamp(min=torch.finfo(variances.dtype).tiny)
    scale = (variances[:count] / largest + FLOOR) ** -WHITENING
    return moments.mean(), (directions[:, :count] * scale).contiguous()
