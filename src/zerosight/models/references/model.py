"""References: a frozen model for words, and what some normal images look like to its image tower.

    image ─ tower ┬─ features ─▶ ViP²-CLIP ─▶ a zero-shot map per level ┐
                  └─ stages ──┬▶ Subspace ──▶ distances ────────────────┼─▶ Fusion ─▶ map ─▶ score
                              └▶ Nearest ───▶ distances ────────────────┘

Words see much that is normal as unusual, and always in the same places: an edge, a hole, a logo. Of what they
say of a patch, what they say of the normal patches that look most like it is therefore taken away.

``forward`` exists once: fitting, prediction, evaluation and export call it.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures, PromptPrefix
from zerosight.backbones.image_tower import ImageTower
from zerosight.models.references.estimators import Nearest, Subspace
from zerosight.models.references.fusion import Fusion, top_mean
from zerosight.models.references.tower import Levels
from zerosight.models.references.wordless import Wordless
from zerosight.models.vip2clip import utpa
from zerosight.models.vip2clip.model import Alignment, Vip2Clip

Base = Vip2Clip | Wordless
"""What references stand on: a zero-shot model, or an image tower alone, whose words have no level."""


class References(nn.Module):
    """A zero-shot model and the distances to normal images.

    Args:
        base: The zero-shot model, or an image tower alone.
        subspaces: One per level, or none.
        searches: One per level, or none.
        fusion: Of the sources.
    """

    def __init__(
        self, base: Base, subspaces: list[Subspace], searches: list[Nearest], fusion: Fusion
    ) -> None:
        super().__init__()
        self.base = base
        self.subspaces = nn.ModuleList(subspaces)
        self.searches = nn.ModuleList(searches)
        self.fusion = fusion

    @property
    def encoder(self) -> DualEncoder | ImageTower:
        """The frozen towers."""
        return self.base.encoder

    def forward(
        self, features: ImageFeatures | None, levels: Levels, prefix: PromptPrefix | None = None
    ) -> tuple[Float[Tensor, "batch"], Float[Tensor, "batch size size"]]:
        """Return calibrated scores and blurred maps, both in [0, 1]; 0.5 is the threshold.

        Args:
            features: For the zero-shot model; None where there is none.
            levels: For the references.
            prefix: As for the zero-shot model.
        """
        return self.finish(self.sources(words_in(self.base, features, levels, prefix), levels))

    def sources(
        self, words: Float[Tensor, "batch level patch"], levels: Levels
    ) -> Float[Tensor, "batch source patch"]:
        """Return what every source says, each on its own scale.

        The levels of the zero-shot model come first (probabilities, less those of the nearest normal patches
        where these are known), then the distances to the subspaces and to the nearest patches.

        Args:
            words: Of :func:`words_of`.
            levels: For the references.
        """
        subspaces, searches = self._estimators()
        residuals = [fit(level) for fit, level in zip(subspaces, levels, strict=False)]
        found = [search.compare(level) for search, level in zip(searches, levels, strict=False)]
        return join(words, residuals, found)

    def finish(
        self, sources: Float[Tensor, "batch source patch"]
    ) -> tuple[Float[Tensor, "batch"], Float[Tensor, "batch size size"]]:
        """Return what :meth:`forward` does, from what the sources say."""
        fused = self.fusion(sources)
        spread = torch.from_numpy(self.spread()).to(fused)
        maps = spread @ as_grid(fused) @ spread.T
        return self.fusion.calibrate_scores(top_mean(fused)), self.fusion.calibrate_maps(maps)

    def fast(self) -> References:
        """Return references on an image tower in bf16; all else is shared."""
        return References(self.base.fast(), *self._estimators(), self.fusion)

    def spread(self) -> Float[np.ndarray, "size grid"]:
        """Return the matrix that enlarges and blurs a line of patches."""
        encoder, config = self.encoder, self.base.config
        return utpa.spread_matrix(encoder.grid, encoder.preprocess.size, config.blur_sigma)

    def _estimators(self) -> tuple[list[Subspace], list[Nearest]]:
        subspaces = [one for one in self.subspaces if isinstance(one, Subspace)]
        return subspaces, [one for one in self.searches if isinstance(one, Nearest)]


def words_in(
    base: Base, features: ImageFeatures | None, levels: Levels, prefix: PromptPrefix | None = None
) -> Float[Tensor, "batch level patch"]:
    """Return what the words say of every patch; an image tower alone has no level of words.

    Args:
        base: What the references stand on.
        features: As :func:`~zerosight.models.references.tower.look` returns them, like the levels.
        levels: Likewise.
        prefix: As for the zero-shot model.
    """
    if features is None or isinstance(base, Wordless):
        return levels[0].new_zeros(levels[0].shape[0], 0, levels[0].shape[1])
    return words_of(base, base(features, prefix))


def words_of(base: Vip2Clip, alignment: Alignment) -> Float[Tensor, "batch level patch"]:
    """Return the abnormal probability of every patch at every level of the zero-shot model."""
    return utpa.abnormal_probability(alignment.cosines, base.config.temperature).transpose(0, 1)


def join(
    words: Float[Tensor, "batch level patch"],
    residuals: list[Float[Tensor, "batch patch"]],
    found: list[tuple[Float[Tensor, "batch patch"], Float[Tensor, "batch patch level"]]],
) -> Float[Tensor, "batch source patch"]:
    """Return what the sources say, from what every level of the references says.

    Args:
        words: Of :func:`words_of`.
        residuals: Distances to the subspaces, of every level or of none.
        found: What :meth:`Nearest.compare` returns, likewise.
    """
    sources = [words] if words.shape[1] else []
    if residuals:
        sources.append(mean_of(residuals)[:, None])
    if found and sources and words.shape[1]:
        sources[0] = words - mean_of([alike for _, alike in found]).transpose(1, 2)
    if found:
        sources.append(mean_of([distances for distances, _ in found])[:, None])
    return torch.cat(sources, dim=1)


def mean_of(grids: list[Float[Tensor, "*any"]]) -> Float[Tensor, "*any"]:
    """Return the mean over levels."""
    return torch.stack(grids).mean(0)


def as_grid(patches: Float[Tensor, "batch patch"]) -> Float[Tensor, "batch grid grid"]:
    """Return patches in rows."""
    side = round(patches.shape[-1] ** 0.5)
    return patches.unflatten(-1, (side, side))
