"""What an evaluation can be told; the defaults are the field's protocol."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from zerosight.choices import Aupro, Resolution
from zerosight.config import Config


class EvaluationConfig(Config):
    """Settings of ``zerosight evaluate``."""

    splits: tuple[str, ...] = Field(("test",), min_length=1, description="parts of the data to evaluate")
    categories: tuple[str, ...] | None = Field(None, description="categories to evaluate; none means all")
    resolution: Resolution = Field(
        "model", description="size at which maps meet masks: the model's input, as published, or each image's"
    )
    aupro: Aupro = Field("exact", description="variant shown in tables; both are in the JSON")
    strict: bool = Field(False, description="stop at the first file or row that cannot be used")
    batch_size: int = Field(8, ge=1, description="images per pass; changes no result")
    workers: int = Field(4, ge=1, description="threads that read images and masks; changes no result")
    resamples: int = Field(1000, ge=0, description="bootstrap resamples for the 95 % intervals; 0 for none")
    seed: int = Field(0, ge=0, description="of the bootstrap")

    def identity(self) -> dict[str, Any]:
        """Return the settings that the scores of single images and the pixel counts depend on."""
        return self.model_dump(mode="json", include={"splits", "categories", "resolution"})

    def shown(self) -> dict[str, Any]:
        """Return the settings that any number in the results depends on."""
        return self.model_dump(mode="json", exclude={"workers", "batch_size", "strict"})
