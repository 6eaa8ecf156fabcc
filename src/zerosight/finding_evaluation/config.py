"""What an evaluation of findings can be told."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

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
    seed: int = Field(0, ge=0, description="of the bootstrap")

    @property
    def policy(self) -> ThresholdPolicy:
        """The threshold policy."""
        return ThresholdPolicy.parse(self.threshold)
