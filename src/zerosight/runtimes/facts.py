"""What an exported graph says about itself: the model's card, its input, its precision."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pkgutil import resolve_name
from typing import Any, get_args

from zerosight.choices import Precision
from zerosight.errors import WeightsError, one_line
from zerosight.guarded.json import parse_json
from zerosight.models.card import AnomalyCard
from zerosight.models.catalog import ANOMALIES, architectures
from zerosight.preprocess import Fit, Preprocess

INPUT, SCORE, MAP = "pixels", "score", "map"
LARGEST = 8192
"""Largest height and width of a graph's input, in pixels."""


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """The metadata of an exported graph.

    Attributes:
        card: The card of the model it was made from; the thresholds are in it.
        preprocess: Its input size and how images are fitted into it; mean and std are for the reader, the
            graph applies them itself.
        precision: ``fp32``; ``fp16``, weights stored in half precision; ``int8``, image tower quantised.
    """

    card: AnomalyCard
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
            preprocess = _preprocess(parse_json(properties["preprocess"]))
            card = parse_json(properties["card"])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise WeightsError(
                f"{source}: its metadata is damaged ({one_line(str(error))}); export it again"
            ) from None
        known: tuple[Precision, ...] = get_args(Precision)
        precision = next((word for word in known if word == properties["precision"]), None)
        if precision is None or not isinstance(card, dict):
            raise WeightsError(f"{source}: its metadata is of another version; export it again")
        kind = architectures().get(str(card.get("architecture", "vip2clip")))
        if kind is None or kind.task != ANOMALIES:
            raise WeightsError(f"{source}: its architecture is of another version; export it again")
        return cls(resolve_name(kind.card).parse(card, source), preprocess, precision)


def _preprocess(constants: Any) -> Preprocess:
    """Return the constants of the input after checking them; older files, without ``fit``, squash."""
    size, mean, std = (constants[key] for key in ("size", "mean", "std"))
    numbers = [float(number) for number in (*mean, *std)]
    if not (type(size) is int and 1 <= size <= LARGEST and len(mean) == len(std) == 3):
        raise ValueError(f"size should be in 1…{LARGEST}, mean and std of three numbers each")
    if not all(math.isfinite(number) for number in numbers) or min(numbers[3:]) <= 0:
        raise ValueError("mean and std should be finite, and std positive")
    known: tuple[Fit, ...] = get_args(Fit)
    fit = next((word for word in known if word == constants.get("fit", "squash")), None)
    if fit is None:
        raise ValueError(f"fit {constants['fit']!r} is not known")
    return Preprocess(size, (numbers[0], numbers[1], numbers[2]), (numbers[3], numbers[4], numbers[5]), fit)
