"""The card of references: the zero-shot model's own card, and what is known of the normal images."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field

from zerosight.backbones.config import BackboneConfig
from zerosight.config import Config
from zerosight.errors import ConfigError
from zerosight.models.card import AnomalyCard
from zerosight.models.references.turning import Augment
from zerosight.models.vip2clip.card import Vip2ClipCard

EstimatorName = Literal["subspace", "nearest"]
"""What compares patches with normal ones, in the order in which distances are given."""


class TowerCard(AnomalyCard):
    """What is known of an image tower alone, in the place of a zero-shot model's card."""

    architecture: Literal["tower"] = "tower"
    licence: str = "that of the tower's weights"
    backbone: BackboneConfig
    backbone_fingerprint: str

    @property
    def foundation(self) -> str:
        """The kind of backbone."""
        return self.backbone.kind

    def base_facts(self) -> dict[str, Any]:
        """Return what identifies the tower."""
        return {
            "backbone": self.backbone.model_dump(mode="json", exclude_none=True),
            "backbone_fingerprint": self.backbone_fingerprint,
        }


BaseCard = Annotated[Vip2ClipCard | TowerCard, Field(discriminator="architecture")]


class PromiseFacts(Config):
    """A threshold's promise; the threshold itself is 0.5, which scores and maps are bent to."""

    alpha: float = Field(gt=0, le=0.5, description="false-alarm rate that was asked for")
    bound: float = Field(ge=0, le=1, description="largest expected rate on exchangeable normal images")
    interval: tuple[float, float] = Field(description="where the rate lies with 90 % probability")
    kept: bool = Field(description="whether the bound is no larger than alpha")

    @property
    def rate(self) -> str:
        """The expected rate in words."""
        low, high = self.interval
        if self.bound >= 1:
            return "no rate is promised"
        return f"at most {self.bound:.1%} (90 %: {low:.1%} to {high:.1%})"


class NormalImage(Config):
    """One normal image: no pixel of it is stored."""

    name: str
    sha256: str = Field(description="of its decoded pixels")
    held_out: float = Field(description="its score, by references made without it")


class Suspicious(Config):
    """An image that was left out because the others do not explain it."""

    name: str
    deviation: float = Field(description="robust deviations of its score above the median")


class ReferencesCard(AnomalyCard):
    """What a folder of references says about itself."""

    architecture: Literal["references"] = "references"
    base: BaseCard
    estimators: tuple[EstimatorName, ...] = Field(("nearest",), description="which references compare")
    augment: Augment = Field("none", description="which turned copies of the images are among them")
    images: PromiseFacts
    pixels: PromiseFacts
    normals: tuple[NormalImage, ...] = ()
    left_out: tuple[Suspicious, ...] = ()

    @property
    def backbone(self) -> BackboneConfig:
        """The zero-shot model's."""
        return self.base.backbone

    @property
    def backbone_fingerprint(self) -> str:
        """The zero-shot model's."""
        return self.base.backbone_fingerprint

    @property
    def foundation(self) -> str:
        """The kind of backbone."""
        return self.base.foundation

    def facts(self) -> dict[str, str]:
        """Return the base model, the normal images and what the thresholds promise."""
        return {
            "Zero-shot model": self.base.name if isinstance(self.base, Vip2ClipCard) else "",
            "Backbone": self._backbone(),
            "Backbone fingerprint": self.backbone_fingerprint,
            "Normal images": str(len(self.normals)),
            "Turned copies": "" if self.augment == "none" else self.augment,
            "Left out as suspicious": ", ".join(one.name for one in self.left_out),
            "Expected false alarms": self.images.rate,
            "Pixels in regions of normal images": f"{self.pixels.alpha:.1%} of those at hand",
            "Unfamiliar images": self._unfamiliar(),
        }

    def _backbone(self) -> str:
        """Return the tower in a line where there is no zero-shot model."""
        tower = self.backbone
        return "" if isinstance(self.base, Vip2ClipCard) else f"{tower.kind} {tower.model}"

    def _unfamiliar(self) -> str:
        """Return what becomes of images that are unlike the normal ones as a whole."""
        if self.familiarity is None:
            return ""
        return (
            f"marked; at most {self.familiarity.refused:.1%} of normal images are expected to be marked, too"
        )

    def base_facts(self) -> dict[str, Any]:
        """Return what identifies the backbone."""
        return self.base.base_facts()

    def identity(self) -> dict[str, Any]:
        """Return what identifies the model, the normal images among it."""
        digest = hashlib.sha256("".join(sorted(one.sha256 for one in self.normals)).encode()).hexdigest()
        return (
            super().identity()
            | {
                "normals": digest[:16],
                "alphas": [self.images.alpha, self.pixels.alpha],
            }
            | ({"familiarity": self.familiarity.threshold} if self.familiarity else {})
        )


def refuse_zero_shot(name: str) -> NoReturn:
    """Say that an image tower alone has no zero-shot map.

    Raises:
        ConfigError: Always.
    """
    raise ConfigError(
        f"{name}: knows no words, so it has no zero-shot map; give it normal images to compare with: "
        "--normals GOOD_IMAGES, zerosight fit, or .with_normals(images)"
    )
