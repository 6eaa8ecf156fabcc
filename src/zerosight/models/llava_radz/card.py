"""The card of a LLaVA-RadZ."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from zerosight.backbones.mllm.config import MllmConfig
from zerosight.models.card import Card
from zerosight.models.llava_radz.calibration import FindingCalibration
from zerosight.models.llava_radz.config import RadzConfig

INTENDED_USE = (
    "Research on zero-shot recognition of findings in chest X-rays: ranking images and comparing methods. "
    "Not a medical device. Not for diagnosis, triage, or any decision about a patient."
)


class RadzCard(Card):
    """What a folder of LLaVA-RadZ says about its weights."""

    architecture: Literal["llava-radz"] = "llava-radz"
    intended_use: str = INTENDED_USE
    model: RadzConfig = RadzConfig()
    mllm: MllmConfig = MllmConfig(model="lite")
    adapter_sha256: str = ""
    base_fingerprint: str = Field("", description="of the language model that the weights belong to")
    trained_on: tuple[str, ...] = Field((), description="findings whose names or labels training used")
    calibration: FindingCalibration = FindingCalibration()

    def facts(self) -> dict[str, str]:
        """Return the language model, what it was trained on and how it scores."""
        return {
            "Language model": self.mllm.model,
            "Language model's fingerprint": self.base_fingerprint,
            "Findings used in training": ", ".join(self.trained_on),
            "Scoring": f"{self.calibration.mode}, calibrated on: {self.calibration.source}",
        }
