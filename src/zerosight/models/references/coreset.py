"""A bounded choice of normal patches that leaves no normal patch far from all chosen ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

LARGEST = 1536
"""Entries of a level; more cost time per image and gain little (see docs/references.md)."""
CANDIDATES = 4
"""Candidates looked at per entry that is kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Coreset:
    """Normal patches and the images they come from.

    Attributes:
        entries: The patches, as the tower gave them, locally pooled.
        owners: Number of the normal image that each comes from.
        places: Number of the patch in its image.
        words: What the levels of the zero-shot model say of each patch.
    """

    entries: Float[Tensor, "entry channel"]
    owners: Int[Tensor, "entry"]
    places: Int[Tensor, "entry"]
    words: Float[Tensor, "entry words"]

    def __add__(self, other: Coreset) -> Coreset:
        """Return the entries of both."""
        return Coreset(
            torch.cat([self.entries, other.entries]),
            torch.cat([self.owners, other.owners]),
            torch.cat([self.places, other.places]),
            torch.cat([self.words, other.words]),
        )

    def take(self, index: Int[Tensor, "chosen"]) -> Coreset:
        """Return some of the entries."""
        return Coreset(self.entries[index], self.owners[index], self.places[index], self.words[index])

    def without(self, owners: set[int]) -> Coreset:
        """Return the entries that do not come from some images."""
        kept = [i for i, owner in enumerate(self.owners.tolist()) if owner not in owners]
        return self.take(torch.tensor(kept, dtype=torch.long))


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """All patches of some normal images, turned copies among them.

    Attributes:
        level: As the tower gave them.
        words: What the levels of the zero-shot model say of them.
        owners: Number of the normal image that each image or copy shows.
        places: Where every patch lies in that image.
    """

    level: Float[Tensor, "image patch channel"]
    words: Float[Tensor, "image words patch"]
    owners: Int[Tensor, "image"]
    places: Int[Tensor, "image patch"]


def candidates(patches: Patches, generator: torch.Generator) -> Coreset:
    """Return equally many patches of every image, drawn at random.

    Args:
        patches: Of some normal images.
        generator: Draws.
    """
    images, count, _ = patches.level.shape
    each = max(1, min(count, CANDIDATES * LARGEST // images))
    drawn = torch.stack([torch.randperm(count, generator=generator)[:each] for _ in range(images)])
    rows = torch.arange(images)[:, None]
    return Coreset(
        patches.level[rows, drawn].flatten(0, 1),
        patches.owners.repeat_interleave(each),
        patches.places[rows, drawn].flatten(),
        patches.words.transpose(1, 2)[rows, drawn].flatten(0, 1),
    )


def farthest_first(points: Float[Tensor, "point direction"], count: int) -> Int[Tensor, "chosen"]:
    """Return which points to keep: each next one is the farthest from those kept before (greedy k-centre).

    Args:
        points: In the space in which nearest ones will be sought.
        count: How many to keep; all where there are no more.
    """
    if len(points) <= count:
        return torch.arange(len(points))
    lengths = points.square().sum(1)
    chosen = torch.empty(count, dtype=torch.long)
    chosen[0] = lengths.argmin()
    far = torch.full((len(points),), torch.inf)
    for i in range(1, count):
        last = chosen[i - 1]
        torch.minimum(far, lengths + lengths[last] - 2 * points @ points[last], out=far)
        chosen[i] = far.argmax()
    return chosen
