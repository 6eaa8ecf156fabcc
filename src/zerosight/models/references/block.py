"""Some normal images as the tower sees them, their turned copies, and what is left out together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from zerosight.models.references.coreset import Coreset
from zerosight.models.references.turning import TURNS, Augment, Turn

FOLDS = 6
"""Into which a block's images fall; a fold's directions are found without all of its images."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some normal images as the tower sees them.

    Attributes:
        names: What to call them.
        hashes: Of their pixels.
        words: Zero-shot, of their patches, by level.
        levels: For the references.
        turned: The same images, turned.
    """

    names: tuple[str, ...]
    hashes: tuple[str, ...]
    words: Float[Tensor, "image level patch"]
    levels: tuple[Float[Tensor, "image patch _"], ...]
    turned: Mapping[Turn, Block] = field(default_factory=dict)

    def take(self, index: list[int]) -> Block:
        """Return some of the images."""
        return Block(
            tuple(self.names[i] for i in index),
            tuple(self.hashes[i] for i in index),
            self.words[index],
            tuple(level[index] for level in self.levels),
            {turn: block.take(index) for turn, block in self.turned.items()},
        )

    @property
    def augment(self) -> Augment:
        """Which copies there are."""
        return next(name for name, turns in TURNS.items() if len(turns) == len(self.turned))

    def only(self, augment: Augment) -> Block:
        """Return the block with the copies that a choice makes, which are among its own."""
        return replace(self, turned={turn: self.turned[turn] for turn in TURNS[augment]})

    def copies(self) -> Block:
        """Return the images and their copies as one block, one kind of copy after the other."""
        all_of = [self, *self.turned.values()]
        levels = zip(*(block.levels for block in all_of), strict=True)
        words = torch.cat([block.words for block in all_of])
        return Block(self.names, self.hashes, words, tuple(map(torch.cat, levels)))

    def places(self) -> Int[Tensor, "image patch"]:
        """Return the place of every patch of :meth:`copies` in the image as it was."""
        images, _, patches = self.words.shape
        kinds = [list(range(patches)), *(turn.places(patches) for turn in self.turned)]
        return torch.tensor(kinds).repeat_interleave(images, dim=0)


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is left out together.

    Attributes:
        own: Number of the unit of every patch of the images.
        copies: The same of their copies, the images as they are among them.
    """

    own: Int[Tensor, "image patch"]
    copies: Int[Tensor, "copy patch"]

    def folds(self) -> list[Int[Tensor, "unit"]]:
        """Return the units of every fold."""
        units = torch.arange(int(self.own.max()) + 1)
        count = min(FOLDS, len(units))
        return [units[fold::count] for fold in range(count)]

    def of(self, coreset: Coreset, first: int) -> Int[Tensor, "entry"]:
        """Return the unit of every entry, -1 for those of images before the first."""
        own = self.own[(coreset.owners - first).clamp(min=0), coreset.places]
        return torch.where(coreset.owners < first, -1, own)


def units_of(block: Block, alone: bool) -> Units:
    """Return what is left out together: an image or, where there is but one, its left or right half."""
    images, _, patches = block.words.shape
    if images > 1 or not alone:
        own = torch.arange(images)[:, None].expand(images, patches)
    else:
        side = round(patches**0.5)
        own = (torch.arange(patches) % side >= side // 2).long()[None]
    owners = torch.arange(images).repeat(1 + len(block.turned))
    return Units(own, own[owners[:, None], block.places()])
