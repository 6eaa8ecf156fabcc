"""What every training run is made of, whatever the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from zerosight.config import Config

if TYPE_CHECKING:
    from zerosight.data.manifest import Dataset

CONFIG = "config.yaml"
"""What a run folder calls the file of its settings."""


class CacheConfig(Config):
    """The disk cache of the frozen towers' outputs."""

    folder: Path | None = Field(None, description="where features are kept; none recomputes them every epoch")
    dtype: Literal["float16", "float32"] = "float16"
    max_gb: float = Field(20.0, gt=0, description="size that the cache does not exceed")

    @property
    def max_bytes(self) -> int:
        """Size that the cache does not exceed, in bytes."""
        return int(self.max_gb * 2**30)


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


class RunConfig(Config):
    """What every training run is made of, whatever the model."""

    data: tuple[Annotated[str, BeforeValidator(_as_text)], ...] = Field(
        min_length=1, description="training data: LAYOUT:ROOT, folders or manifests"
    )
    out: Path = Field(description="the run folder")
    name: str = Field(description="what the card calls the model")
    splits: tuple[str, ...] = Field(("train",), description="splits to train on")
    val_splits: tuple[str, ...] = Field(("val",), description="held-out splits that set the thresholds")
    epochs: int = Field(10, ge=1)
    seed: int = Field(111, ge=0, lt=2**32)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: str = Field("cpu", description="cpu, gpu or auto (Lightning's names)")
    devices: int = Field(1, ge=1)
    workers: int = Field(0, ge=0, description="processes that read the data")
    cache: CacheConfig = CacheConfig()
    licence: str = Field("Apache-2.0", description="licence of the weights, for the card")
    notes: tuple[str, ...] = Field((), description="lines for the card, such as the data's origin")

    def datasets(self) -> tuple[Dataset, ...]:
        """Return the training data, opened.

        Raises:
            DataError: Nothing readable is there.
        """
        from zerosight.data.layouts import open_dataset

        return tuple(open_dataset(text) for text in self.data)
