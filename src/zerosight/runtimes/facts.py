"""What an exported graph says about itself: the model's card, its input, its precision."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Literal, get_args

from zerosight.errors import MissingExtraError, WeightsError
from zerosight.models.card import ModelCard
from zerosight.preprocess import Preprocess

Precision = Literal["fp32", "fp16", "int8"]
INPUT, SCORE, MAP = "pixels", "score", "map"


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """The metadata of an exported graph.

    Attributes:
        card: The card of the model it was made from; the thresholds are in it.
        preprocess: Its input size; mean and std are for the reader, the graph applies them itself.
        precision: ``fp32``; ``fp16``, weights stored in half precision; ``int8``, image tower quantised.
    """

    card: ModelCard
    preprocess: Preprocess
    precision: Precision

    def to_properties(self) -> dict[str, str]:
        """Return the facts as the texts that are stored in the graph's file."""
        return {
            "card": json.dumps(self.card.model_dump(mode="json"), ensure_ascii=False),
            "preprocess": json.dumps(asdict(self.preprocess)),
            "precision": self.precision,
            "image_threshold": repr(self.card.thresholds.image),
            "pixel_threshold": repr(self.card.thresholds.pixel),
        }

    @classmethod
    def from_properties(cls, properties: Mapping[str, str], source: str) -> GraphFacts:
        """Return the facts that a graph's file holds.

        Args:
            properties: As from :meth:`to_properties`.
            source: What to call the file in an error.

        Raises:
            WeightsError: The file was not made by ``zerosight export``, or its metadata is damaged.
            ConfigError: A key or value of the card is not valid.
        """
        if not {"card", "preprocess", "precision"} <= properties.keys():
            raise WeightsError(
                f"{source}: holds no card, so zerosight did not export it; make one with: "
                "zerosight export --model NAME --out FILE"
            )
        try:
            constants = json.loads(properties["preprocess"])
            preprocess = Preprocess(int(constants["size"]), tuple(constants["mean"]), tuple(constants["std"]))
            card = json.loads(properties["card"])
        except (ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{source}: its metadata is damaged ({error}); export it again") from None
        known: tuple[Precision, ...] = get_args(Precision)
        precision = next((word for word in known if word == properties["precision"]), None)
        if precision is None or not isinstance(card, dict):
            raise WeightsError(f"{source}: its metadata is of another version; export it again")
        return cls(ModelCard.parse(card, source), preprocess, precision)


def require(package: str, extra: str) -> ModuleType:
    """Return an optional package.

    Raises:
        MissingExtraError: It is not installed; the message names the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        raise MissingExtraError(
            f"the package '{package}' is not installed; run: pip install 'zerosight[{extra}]'"
        ) from None
