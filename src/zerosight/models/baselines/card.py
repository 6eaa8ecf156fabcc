"""The card of a baseline."""

from __future__ import annotations

from typing import Any, Literal

from zerosight.backbones.config import BackboneConfig
from zerosight.models.baselines.config import DetectorConfig
from zerosight.models.card import AnomalyCard


class BaselineCard(AnomalyCard):
    """What a folder of a baseline says about its weights."""

    architecture: Literal["baseline"] = "baseline"
    detector: DetectorConfig = DetectorConfig()
    backbone: BackboneConfig = BackboneConfig()
    backbone_fingerprint: str = ""

    @property
    def foundation(self) -> str:
        """The kind of backbone."""
        return self.backbone.kind

    def base_facts(self) -> dict[str, Any]:
        """Return what identifies the backbone, and how the detector is made."""
        return {
            "backbone": self.backbone.model_dump(mode="json", exclude_none=True),
            "backbone_fingerprint": self.backbone_fingerprint,
            "detector": self.detector.model_dump(mode="json"),
        }

    def facts(self) -> dict[str, str]:
        """Return method, backbone and thresholds."""
        return {
            "Method": self.detector.method.kind,
            "Backbone": self.backbone.kind,
            "Backbone fingerprint": self.backbone_fingerprint,
            "Image threshold": f"{self.thresholds.image:.4f}",
            "Pixel threshold": f"{self.thresholds.pixel:.4f}",
            "Thresholds chosen on": self.thresholds.source,
        }
