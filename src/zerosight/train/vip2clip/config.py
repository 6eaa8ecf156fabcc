"""What a training run of ViP²-CLIP is made of; the defaults are the paper's, ``lite`` has its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from zerosight.backbones.config import BackboneConfig
from zerosight.models.vip2clip.config import Vip2ClipConfig
from zerosight.train.config import RunConfig

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "lite": {
        "epochs": 3,
        "batch_size": 16,
        "lr_fgp": 1e-3,
        "schedule": "cosine",
        "average": 0.99,
        "model": {"top_k": 12},
    }
}
"""Settings by kind of backbone where they are not the paper's: those that made the shipped weights."""


class TrainConfig(RunConfig):
    """Settings of ``zerosight train vip2clip``; data need masks (the paper trains on their test splits).

    What is not given is the paper's, or where :data:`RECIPES` has the backbone, of its recipe.
    """

    start: str | None = Field(
        None,
        description="a ViP²-CLIP to go on from: a shipped name or a folder; it brings its backbone",
    )

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
    familiarity: bool = Field(
        False,
        description="mark images unlike those of training, which zero-shot use is about: for models that "
        "stay with their kind of image",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_recipe(cls, values: Any) -> Any:
        """Fill in the recipe of the backbone, and the backbone and the numbers of the model to go on from."""
        if not isinstance(values, Mapping):
            return values
        values = dict(values)
        if isinstance(values.get("start"), str):
            values |= _brought(values)
        backbone, model = values.get("backbone", {}), values.get("model", {})
        named = backbone.get("kind") if isinstance(backbone, Mapping) else getattr(backbone, "kind", "")
        recipe = dict(RECIPES.get(named or BackboneConfig().kind, {}))
        if "model" in recipe and isinstance(model, Mapping):
            values["model"] = recipe["model"] | dict(model)
        return recipe | values


def _brought(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the backbone and the model's numbers of what a run goes on from.

    Raises:
        WeightsError: It is no ViP²-CLIP.
        ValueError: The settings name another backbone or other numbers.
    """
    from zerosight.models.catalog import find_model, load_card
    from zerosight.models.vip2clip.card import Vip2ClipCard

    card = load_card(find_model(values["start"]), Vip2ClipCard)
    brought = {"backbone": card.backbone.model_dump(), "model": card.model.model_dump()}
    for name, own in brought.items():
        given = values.get(name) or {}
        given = given if isinstance(given, Mapping) else given.model_dump()
        if any(own[key] != value for key, value in given.items() if key in own):
            raise ValueError(f"'{name}' is what 'start' has; leave it out")
    return brought
