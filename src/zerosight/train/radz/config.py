"""What a training run of LLaVA-RadZ is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from zerosight.backbones.mllm.config import MllmConfig
from zerosight.choices import ScoreMode
from zerosight.models.llava_radz.config import LossWeights, RadzConfig
from zerosight.train.config import RunConfig

TextSource = Literal["report", "labels", "both"]
LabelSource = Literal["manifest", "report", "both"]


class RadzTrainConfig(RunConfig):
    """Settings of ``zerosight train radz``; the paper gives few, so most defaults are ours.

    Rates and schedule follow LLaVA-1.5's practice with LoRA; k = 4 special tokens, the read layer, LoRA and
    the losses are the paper's.
    """

    name: str = Field("llava-radz", description="what the card calls the model")
    seed: int = Field(111, ge=0, lt=2**32)
    precision: Literal["32-true", "bf16-mixed"] = Field(
        "32-true", description="of the arithmetic; fp16 has too small a range for gradients taken by hand"
    )
    licence: str = Field("", description="licence of the weights, for the card; empty: the base model's")
    start: str | None = Field(None, description="a LLaVA-RadZ to go on from: a shipped name or a folder")
    full: bool = Field(
        False,
        description="train every weight of the decoder of 'start'; its low-rank updates are added to them "
        "first (with 'mllm', set mllm.adapt.method)",
    )
    image_attention: Literal["full"] | None = Field(
        None,
        description="full: let image tokens of 'start' see each other in both directions (with 'mllm', set "
        "mllm.image_attention)",
    )
    mllm: MllmConfig | None = Field(
        None, description="the language model to begin with, if not from start, and what of it to train"
    )
    model: RadzConfig = RadzConfig()
    weights: LossWeights = LossWeights()
    text: TextSource = Field(
        "report",
        description="what an image is paired with: its report; sentences made of its labels; or both, the "
        "one that it has, drawn anew every epoch where it has both",
    )
    labels: LabelSource = Field(
        "both",
        description="where diseases come from: the rows' labels, rules that read the report, or the "
        "rules where a row has no labels",
    )
    kept_out: tuple[str, ...] = Field(
        (),
        description="findings that training is to know nothing of: images that show one are left out, its "
        "label and 'no finding' count as not known, and nothing names it",
    )
    equal_texts: Literal["excluded", "negatives"] = Field(
        "excluded", description="whether pairs with the same text are each other's wrong answers"
    )
    retention: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="what it counts that the vision tower's mean token can be read from the special tokens' "
        "states; ours",
    )
    retention_epochs: int = Field(
        0, ge=0, description="so many of the epochs, the first, learn by retention alone, from images alone"
    )
    learn_temperature: bool = Field(True, description="off keeps model.temperature")
    mode: ScoreMode = Field("pos-neg", description="how held-out images are scored, and the finished model's")
    anchors: Path | None = Field(None, description="file of descriptions that go over the package's own")
    batch_size: int = Field(64, ge=2, description="pairs that are each other's negatives in one step")
    micro_batch_size: int = Field(
        8, ge=1, description="pairs held in memory at a time; changes nothing but what dropout draws"
    )
    lr: float = Field(2e-4, ge=0, description="of the decoder's weights or LoRA's")
    lr_projector: float = Field(2e-5, ge=0, description="of the projector's weights")
    lr_heads: float = Field(1e-3, ge=0, description="of projection heads, special tokens and temperature")
    weight_decay: float = Field(0.0, ge=0)
    warmup: float = Field(0.03, ge=0, lt=1, description="share of steps in which the rates rise; then cosine")
    clip: float = Field(1.0, gt=0, description="largest norm of all gradients together")
    gradient_checkpointing: bool = Field(False, description="compute states twice to hold fewer of them")
    limit: int | None = Field(None, ge=1, description="pairs to train on at most, drawn by seed")

    @model_validator(mode="after")
    def _one_beginning(self) -> RadzTrainConfig:
        if (self.start is None) == (self.mllm is None):
            raise ValueError("give either 'start' (a LLaVA-RadZ) or 'mllm' (a language model)")
        if self.start is not None and self.model != RadzConfig():
            raise ValueError("'model' is what 'start' has; leave it out")
        if self.full and self.start is None:
            raise ValueError("'full' goes with 'start'; with 'mllm' set mllm.adapt.method=full")
        if self.image_attention and self.start is None:
            raise ValueError("'image_attention' goes with 'start'; with 'mllm' set mllm.image_attention=full")
        return self

    @model_validator(mode="after")
    def _retains(self) -> RadzTrainConfig:
        if self.retention_epochs and not self.retention:
            raise ValueError("'retention_epochs' learn nothing with retention=0; set retention=1")
        if self.retention_epochs and self.retention_epochs >= self.epochs:
            raise ValueError(
                f"'retention_epochs' are the first of the {self.epochs} 'epochs'; leave some for the pairs"
            )
        return self

    @model_validator(mode="after")
    def _nothing_tells(self) -> RadzTrainConfig:
        if self.kept_out and (self.text, self.labels) != ("labels", "manifest"):
            raise ValueError(
                "'kept_out' takes labels only, as reports would still name the findings; set text=labels and "
                "labels=manifest"
            )
        return self
