"""The card of a LLaVA-RadZ."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from zerosight.backbones.mllm.config import MllmConfig
from zerosight.choices import MapName
from zerosight.config import Config
from zerosight.data.chest.names import canonical
from zerosight.models.card import Card, FamiliarityRecord
from zerosight.models.llava_radz.calibration import FindingCalibration
from zerosight.models.llava_radz.config import RadzConfig

INTENDED_USE = (
    "Research on zero-shot recognition of findings in chest X-rays: ranking images and comparing methods. "
    "Not a medical device. Not for diagnosis, triage, or any decision about a patient."
)


NO_BETTER = "it points no better than the average place of this finding"
"""Why a finding gets no map."""


class MapMeasures(Config):
    """How a model's map of one finding fared beside the finding's mean place, a map that sees no image."""

    maps: int = Field(ge=1, description="images with the finding that it was held to")
    auroc: float = Field(ge=0, le=1, description="mean ROC area of its pixels")
    prior: float = Field(ge=0, le=1, description="the same of the mean place")
    in_lungs: float | None = Field(None, ge=0, le=1, description="as auroc, in the lungs; None: not there")
    prior_in_lungs: float | None = Field(None, ge=0, le=1, description="as prior, in the lungs")

    @property
    def is_better(self) -> bool:
        """Whether the map is above the mean place: in the image and, if the finding is there, in the lungs.

        In the image alone a map may gain by knowing where lungs are; in the lungs alone it may lead out of
        them and still gain.
        """
        inside = self.in_lungs is None or self.prior_in_lungs is None or self.in_lungs > self.prior_in_lungs
        return self.auroc > self.prior and inside


class MapRecord(Config):
    """Which map a model shows of a finding, and whether it was found to be worth showing."""

    name: MapName = Field("joint", description="how the map is made unless asked otherwise")
    auroc: float | None = Field(None, ge=0, le=1, description="of its pixels on images with regions")
    prior: float | None = Field(None, ge=0, le=1, description="the same of a map that sees no image")
    findings: dict[str, MapMeasures] = Field({}, description="by canonical name, where enough was measured")
    source: str = Field("not measured", description="the data it was measured on")

    @property
    def is_measured(self) -> bool:
        """Whether the map was held to regions."""
        return self.auroc is not None and self.prior is not None

    @property
    def misleads(self) -> bool:
        """Whether it was found to say no more than where findings usually are."""
        return self.auroc is not None and self.prior is not None and self.auroc <= self.prior

    @property
    def hidden(self) -> tuple[str, ...]:
        """The findings whose own map was found to be no better than their mean place."""
        return tuple(sorted(name for name, found in self.findings.items() if not found.is_better))

    def why_not(self, finding: str) -> str:
        """Return why a finding, in any spelling, gets no map unless asked for; empty if it gets one.

        What was measured of the finding itself decides, else what was measured of all together.
        """
        own = self.findings.get(canonical(finding))
        return NO_BETTER if (self.misleads if own is None else not own.is_better) else ""

    @property
    def note(self) -> str:
        """What to say of the maps in one line."""
        if self.auroc is None or self.prior is None:
            return f"{self.name}; not held to masks or boxes for this model"
        held = f"pixel AUROC {self.auroc:.3f} against {self.prior:.3f} of a map that sees no image"
        held += f", {self.source}"
        hidden = f"; none of {', '.join(self.hidden)} unless asked for" if self.hidden else ""
        if self.misleads:
            shown = sorted(self.findings.keys() - set(self.hidden))
            of = f"none but of {', '.join(shown)}" if shown else "none"
            return f"{of} unless asked for: {self.name} says no more than where findings usually are ({held})"
        return f"{self.name}: {held}{hidden}"


class FindingCard(Card):
    """What the card of every model of findings says."""

    intended_use: str = INTENDED_USE
    trained_on: tuple[str, ...] | None = Field(
        (), description="findings whose names or labels training used; None: not known"
    )
    calibration: FindingCalibration = FindingCalibration()
    maps: MapRecord = MapRecord()
    limitation: str = Field("", description="what every output says of this model's limits, in one line")
    familiarity: FamiliarityRecord | None = Field(None, description="None: images are not checked")

    @property
    def foundation(self) -> dict[str, str]:
        """What the model stands on, by what to call it."""
        return {}


class RadzCard(FindingCard):
    """What a folder of LLaVA-RadZ says about its weights."""

    architecture: Literal["llava-radz"] = "llava-radz"
    model: RadzConfig = RadzConfig()
    mllm: MllmConfig = MllmConfig(model="lite")
    adapter_sha256: str = ""
    base_fingerprint: str = Field("", description="of the language model that the weights belong to")
    trained_on: tuple[str, ...] = Field((), description="findings whose names or labels training used")

    @property
    def foundation(self) -> dict[str, str]:
        """The language model."""
        return {"language model": self.mllm.model}

    def identity(self) -> dict[str, Any]:
        """Return what identifies the model, the adapter of its language model included."""
        return super().identity() | {"adapter_sha256": self.adapter_sha256}

    def hub_tags(self) -> tuple[str, ...]:
        """Return the findings' kind."""
        return ("zero-shot-image-classification", "medical", "chest-x-ray")

    def hub_base(self) -> str | None:
        """Return the language model where it is on the hub."""
        name = self.mllm.model
        return name if name.count("/") == 1 and not name.startswith((".", "/", "~")) else None

    def base_facts(self) -> dict[str, Any]:
        """Return what identifies the language model."""
        return {"language_model": self.mllm.model, "base_fingerprint": self.base_fingerprint}

    def facts(self) -> dict[str, str]:
        """Return the language model, what it was trained on and how it scores."""
        return {
            "Language model": self.mllm.model,
            "Language model's fingerprint": self.base_fingerprint,
            "Findings used in training": ", ".join(self.trained_on),
            "Limitation": self.limitation,
            "Maps": self.maps.note,
            "Unfamiliar images": self.familiarity.note if self.familiarity else "not told from others",
            "Scoring": f"{self.calibration.mode}, calibrated on: {self.calibration.source}",
        }
