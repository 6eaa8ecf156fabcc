"""The card: everything about trained weights that is not a tensor, for programs and for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from zerosight.config import Config
from zerosight.errors import WeightsError
from zerosight.files import write_atomically
from zerosight.guarded.json import read_json_object

CARD, README, WEIGHTS = "card.json", "README.md", "model.safetensors"

INTENDED_USE = (
    "Ranking and locating unusual regions in images of parts, surfaces and scans for which no labelled "
    "examples exist. A person decides; the score is no proof of a defect. Medical images: research use only, "
    "not a medical device, not for diagnosis."
)


class Card(Config):
    """What every model folder says about its weights, whatever the architecture."""

    name: str
    architecture: str
    weights_sha256: str = ""
    licence: str = "Apache-2.0"
    intended_use: str = INTENDED_USE
    training: dict[str, Any] = Field({}, description="data, seed, command and settings that made the weights")
    quality: list[dict[str, Any]] = Field([], description="measured results, each with the command")
    notes: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return the architecture's own lines of the card's facts; empty values are left out."""
        return {}

    def hub_tags(self) -> tuple[str, ...]:
        """Return what the model is for in the words of the Hugging Face hub, the task first."""
        return ("zero-shot-image-classification",)

    def hub_base(self) -> str | None:
        """Return the repository of the frozen model on the hub, if it is one."""
        return None

    def identity(self) -> dict[str, Any]:
        """Return what identifies the model in results, as JSON values; an architecture may say more."""
        return {
            "model": self.name,
            "architecture": self.architecture,
            **self.base_facts(),
            "weights_sha256": self.weights_sha256,
        }

    def base_facts(self) -> dict[str, Any]:
        """Return what identifies the frozen model that the weights belong to, if there is one."""
        return {}


class Thresholds(Config):
    """Where a score becomes a yes, and a map value belongs to a region."""

    image: float = Field(0.5, ge=0, le=1)
    pixel: float = Field(0.5, ge=0, le=1)
    source: str = Field("not calibrated", description="the data they were chosen on")


class FamiliarityRecord(Config):
    """What tells images like those that a model was made from from others; see :mod:`.familiarity`."""

    threshold: float = Field(gt=0, allow_inf_nan=False, description="distances above it are unfamiliar")
    refused: float = Field(gt=0, lt=1, description="share of training-like images that are above it")
    images: int = Field(ge=1, description="training images it was fitted to")
    held_out: int = Field(ge=1, description="others of the same set, which chose the threshold")
    source: str = ""
    sha256: str = ""

    @property
    def note(self) -> str:
        """What becomes of unfamiliar images, in words."""
        return (
            f"marked; {100 * self.refused:g} % of {self.held_out} held-out images like those of training are "
            f"marked, too (fitted to {self.images}, {self.source})"
        )


class AnomalyCard(Card):
    """What every folder of a model of anomalies says."""

    thresholds: Thresholds = Thresholds()
    familiarity: FamiliarityRecord | None = Field(None, description="None: images are not checked")

    def hub_tags(self) -> tuple[str, ...]:
        """Return anomaly detection and its kin."""
        return ("anomaly-detection", "anomaly-segmentation", "zero-shot")

    @property
    def foundation(self) -> str:
        """What the model stands on, in a word; the architecture where it stands on nothing."""
        return self.architecture


def read_card(folder: Path) -> dict[str, Any]:
    """Return the values of a card, of any architecture, as they stand in the file.

    Raises:
        WeightsError: The folder has no card, or one that cannot be read.
    """
    path = folder / CARD
    try:
        values = read_json_object(path)
    except FileNotFoundError:
        raise WeightsError(f"{folder}: is not a model folder: it has no {CARD}") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: is damaged ({error})") from None
    if not isinstance(values, dict):
        raise WeightsError(f"{path}: is damaged (it should hold one JSON object)")
    return values


def save_card(card: Card, folder: Path) -> None:
    """Write the card as ``card.json`` for programs and ``README.md`` for people and the hub.

    Raises:
        OutputError: The folder cannot be written.
    """
    from zerosight.models.model_card import model_card

    content = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_atomically(folder / CARD, content.encode() + b"\n")
    write_atomically(folder / README, model_card(card).encode())


def render(card: Card) -> str:
    """Return the card as Markdown."""
    lines = [f"# {card.name}", "", "## Intended use", "", card.intended_use, "", "## Facts", ""]
    facts = {
        "Architecture": card.architecture,
        "Licence of these weights": card.licence,
        "SHA-256": card.weights_sha256,
        **card.facts(),
    }
    lines += [f"- {key}: {value}" for key, value in facts.items() if value]
    if card.notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in card.notes)]
    if card.quality:
        lines += ["", "## Measured quality", "", *_table(card.quality)]
    if card.training:
        block = json.dumps(card.training, indent=2, ensure_ascii=False)
        lines += ["", "## How it was made", "", "```json", block, "```"]
    return "\n".join(lines) + "\n"


def _table(rows: list[dict[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return head + ["| " + " | ".join(str(row.get(key, "–")) for key in columns) + " |" for row in rows]
