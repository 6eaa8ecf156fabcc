"""Shape of LLaVA-RadZ's own parts."""

from __future__ import annotations

from pydantic import Field

from zerosight.config import Config


class RadzConfig(Config):
    """What is added to the language model; every default is ours where the paper gives no number."""

    dim: int = Field(512, ge=1, description="width of the space in which images, reports and anchors meet")
    hidden: int = Field(512, ge=1, description="width between the two layers of a projection head")
    temperature: float = Field(0.07, gt=0, description="initial τ; it is learnt")
