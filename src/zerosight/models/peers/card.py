"""The card of a dual encoder that somebody else trained: it is made when the model is opened."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from zerosight.models.llava_radz.card import FindingCard, MapRecord


class PeerCard(FindingCard):
    """What is known of a dual encoder."""

    architecture: Literal["dual-encoder"] = "dual-encoder"
    licence: str = "that of the model's makers"
    trained_on: tuple[str, ...] | None = None
    maps: MapRecord = MapRecord(name="contrast")
    fingerprint: str = Field("", description="of weights, preprocessing and prompts")

    @property
    def foundation(self) -> dict[str, str]:
        """The model itself."""
        return {"dual encoder": self.name}

    def base_facts(self) -> dict[str, Any]:
        """Return what identifies the weights."""
        return {"dual_encoder": self.name, "base_fingerprint": self.fingerprint}
