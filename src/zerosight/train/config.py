"""What a training run is made of; the defaults are the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from zerosight.backbones.config import BackboneConfig
from zerosight.config import Config
from zerosight.models.vip2clip.config import Vip2ClipConfig


class CacheConfig(Config):
    """The disk cache of the frozen towers' outputs."""

    folder: Path | None = Field(None, description="where features are kept; none recomputes them every epoch")
    dtype: Literal["float16", "float32"] = "float16"
    max_gb: float = Field(20.0, gt=0, description="size that the cache does not exceed")


class RunConfig(Config):
    """What every training run is made of, whatever the model."""

    data: tuple[Path, ...] = Field(min_length=1, description="manifests of training data")
    out: Path = Field(description="the run folder")
    name: str = Field(description="what the card calls the model")
    splits: tuple[str, ...] = Field(("train",), description="splits to train on")
    val_splits: tuple[str, ...] = Field(("val",), description="held-out splits that set the thresholds")
    epochs: int = Field(10, ge=1)
    seed: int = 111
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: str = Field("cpu", description="cpu, gpu or auto (Lightning's names)")
    devices: int = Field(1, ge=1)
    workers: int = Field(0, ge=0, description="processes that read the data")
    cache: CacheConfig = CacheConfig()
    licence: str = Field("Apache-2.0", description="licence of the weights, for the card")
    notes: tuple[str, ...] = Field((), description="lines for the card, such as the data's origin")


class TrainConfig(RunConfig):
    """Settings of ``zerosight train vip2clip``; data need masks (the paper trains on their test splits)."""

    name: str = Field("vip2clip", description="what the card calls the model")
    backbone: BackboneConfig = BackboneConfig()
    model: Vip2ClipConfig = Vip2ClipConfig()
    batch_size: int = Field(8, ge=1)
    lr_ica: float = Field(1e-3, ge=0)
    lr_fgp: float = Field(1e-5, ge=0)
    schedule: Literal["constant", "cosine"] = Field("constant", description="the paper: constant")
    average: float = Field(
        0.0, ge=0, lt=1, description="decay of an exponential moving average of the weights; the paper: none"
    )
    augment: bool = Field(False, description="random flips and quarter turns; turns the cache off")
