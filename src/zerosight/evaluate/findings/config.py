"""What an evaluation of findings can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from zerosight.choices import MapName, ScoreMode
from zerosight.config import Config
from zerosight.errors import ConfigError
from zerosight.metrics import ThresholdPolicy
from zerosight.metrics.calibration import BINS


def _policy(text: str) -> str:
    """Return the policy as :class:`ThresholdPolicy` writes it."""
    try:
        return str(ThresholdPolicy.parse(text))
    except ConfigError as error:
        raise ValueError(str(error)) from None


class FindingEvaluationConfig(Config):
    """Settings of an evaluation of findings; every default is ours."""

    threshold: Annotated[str, AfterValidator(_policy)] = Field(
        "fixed:0.5", description="threshold of F1 and accuracy: fixed:VALUE, validation or oracle"
    )
    bins: int = Field(BINS, ge=1, description="bins of equally many images for calibration")
    resamples: int = Field(1000, ge=0, description="bootstrap resamples of patients; 0 for no intervals")
    seed: int = Field(0, ge=0, description="of the bootstrap, and of the patients that --finetune draws")

    @property
    def policy(self) -> ThresholdPolicy:
        """The threshold policy."""
        return ThresholdPolicy.parse(self.threshold)

    def shown(self) -> dict[str, Any]:
        """Return the settings that any number in the results depends on."""
        return self.model_dump(mode="json")


class RowsConfig(Config):
    """Which rows of a data set, which of their labels, and how they are read."""

    splits: tuple[str, ...] = Field(("test",), min_length=1, description="parts of the data that are judged")
    views: tuple[str, ...] | None = Field(
        None, description="categories, which in chest data sets are views; none means all"
    )
    labels: tuple[str, ...] | None = Field(
        None, description="labels to judge, each as LABEL or LABEL=FINDING; none means all that can be judged"
    )
    mode: ScoreMode | None = Field(None, description="how to score; none means the model's")
    descriptions: Path | None = Field(None, description="file of descriptions that go over the package's own")
    write: bool = Field(False, description="let the model describe findings that nobody described")
    strict: bool = Field(False, description="stop at the first file or row that cannot be used")
    batch_size: int = Field(8, ge=1, description="images per pass; changes no result")
    workers: int = Field(4, ge=1, description="threads that read images; changes no result")


class ModelEvaluationConfig(FindingEvaluationConfig, RowsConfig):
    """Settings of ``zerosight evaluate`` for models of findings; every default is ours."""

    val_splits: tuple[str, ...] = Field((), description="parts that thresholds and strengths are chosen on")
    train_splits: tuple[str, ...] = Field(("train",), description="parts that --finetune draws labels from")
    vqa: bool = Field(False, description="also ask the model in words, finding by finding")
    finetune: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (), description="shares of the training labels, each to fit a linear layer on"
    )
    maps: tuple[MapName, ...] = Field(
        (), description="maps to hold to regions, where the data has them; none means the model's"
    )

    def shown(self) -> dict[str, Any]:
        """Return the settings that any number in the results depends on."""
        return self.model_dump(mode="json", exclude={"workers", "batch_size", "strict"})
