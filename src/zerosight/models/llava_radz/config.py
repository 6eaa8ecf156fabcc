"""Shape of LLaVA-RadZ's own parts, and what its losses count."""

from __future__ import annotations

from pydantic import Field

from zerosight.choices import Pool
from zerosight.config import Config


class RadzConfig(Config):
    """What is added to the language model; every default is ours where the paper gives no number."""

    dim: int = Field(
        512, ge=1, le=65_536, description="width of the space in which images, reports and anchors meet"
    )
    hidden: int = Field(512, ge=1, le=65_536, description="width between the two layers of a projection head")
    pool: Pool = Field(
        "mean",
        description="special tokens' states: their mean, or, as in the paper, all in a row",
    )
    temperature: float = Field(0.07, ge=1e-4, le=100, description="initial τ; it is learnt")

    def sizes(self) -> dict[str, tuple[str, int]]:
        """Return which weight begins with which size, by key, see :func:`zerosight.weights.check_sizes`."""
        return {
            "hidden": ("image_head.first.weight", self.hidden),
            "dim": ("image_head.second.weight", self.dim),
        }


class LossWeights(Config):
    """What each term counts; our defaults."""

    pooled: float = Field(1.0, ge=0, allow_inf_nan=False, description="of the alignment of global features")
    local: float = Field(1.0, ge=0, allow_inf_nan=False, description="of the alignment of local features")
    category: float = Field(1.0, ge=0, allow_inf_nan=False, description="λ, of the anchoring to categories")
