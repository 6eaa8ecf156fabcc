"""The card of a ViP²-CLIP."""

from __future__ import annotations

from typing import Any, Literal

from zerosight.backbones.config import BackboneConfig
from zerosight.models.card import AnomalyCard
from zerosight.models.vip2clip.config import Vip2ClipConfig


class Vip2ClipCard(AnomalyCard):
    """What a folder of ViP²-CLIP says about its weights."""

    architecture: Literal["vip2clip"] = "vip2clip"
    model: Vip2ClipConfig = Vip2ClipConfig()
    backbone: BackboneConfig = BackboneConfig()
    backbone_fingerprint: str = ""

    @property
    def foundation(self) -> str:
        """The kind of backbone."""
        return self.backbone.kind

    def hub_base(self) -> str | None:
        """Return the CLIP where it is named as one on the hub."""
        name = self.backbone.model or ""
        return name.removeprefix("hf-hub:") if name.startswith("hf-hub:") else None

    def base_facts(self) -> dict[str, Any]:
        """Return what identifies the backbone."""
        return {
            "backbone": self.backbone.model_dump(mode="json", exclude_none=True),
            "backbone_fingerprint": self.backbone_fingerprint,
        }

    def facts(self) -> dict[str, str]:
        """Return backbone and thresholds."""
        backbone = self.backbone
        return {
            "Backbone": " ".join(filter(None, (backbone.kind, backbone.model, backbone.weights))),
            "Backbone fingerprint": self.backbone_fingerprint,
            "Image threshold": f"{self.thresholds.image:.4f}",
            "Pixel threshold": f"{self.thresholds.pixel:.4f}",
            "Thresholds chosen on": self.thresholds.source,
            "Unfamiliar images": self.familiarity.note if self.familiarity else "",
        }

    def identity(self) -> dict[str, Any]:
        """Return what identifies the model, and what tells unfamiliar images where that is known."""
        known = {"familiarity": self.familiarity.sha256} if self.familiarity else {}
        return super().identity() | known
