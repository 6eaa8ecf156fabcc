"""The card: everything about trained weights that is not a tensor, for programs and for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from zerosight.backbones.config import BackboneConfig
from zerosight.config import Config
from zerosight.errors import WeightsError
from zerosight.files import write_atomically
from zerosight.models.vip2clip.config import Vip2ClipConfig

C = TypeVar("C", bound="Card")

DOORS = {"vip2clip": "zerosight.load", "llava-radz": "zerosight.load_findings"}
CARD, README, WEIGHTS = "card.json", "README.md", "model.safetensors"

INTENDED_USE = (
    "Ranking and locating unusual regions in images of parts, surfaces and scans for which no labelled "
    "examples exist. A person decides; the score is no proof of a defect. Medical images: research use only, "
    "not a medical device, not for diagnosis."
)


class Thresholds(Config):
    """Where a score becomes a yes, and a map value belongs to a region."""

    image: float = Field(0.5, ge=0, le=1)
    pixel: float = Field(0.5, ge=0, le=1)
    source: str = Field("not calibrated", description="the data they were chosen on")


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


class ModelCard(Card):
    """The card of a ViP²-CLIP."""

    architecture: Literal["vip2clip"] = "vip2clip"
    model: Vip2ClipConfig = Vip2ClipConfig()
    backbone: BackboneConfig = BackboneConfig()
    backbone_fingerprint: str = ""
    thresholds: Thresholds = Thresholds()

    def facts(self) -> dict[str, str]:
        """Return backbone and thresholds."""
        backbone = self.backbone
        return {
            "Backbone": " ".join(filter(None, (backbone.kind, backbone.model, backbone.weights))),
            "Backbone fingerprint": self.backbone_fingerprint,
            "Image threshold": f"{self.thresholds.image:.4f}",
            "Pixel threshold": f"{self.thresholds.pixel:.4f}",
            "Thresholds chosen on": self.thresholds.source,
        }


def load_card(folder: Path, kind: type[C]) -> C:
    """Return the card of a model folder.

    Args:
        folder: A model folder.
        kind: The architecture's card.

    Raises:
        WeightsError: The folder has no card, one that cannot be read, or one of another architecture.
        ConfigError: A key or value of the card is not valid.
    """
    values = read_card(folder)
    expected = kind.model_fields["architecture"].default
    if values.get("architecture", expected) != expected:
        door = DOORS.get(values["architecture"], "a newer zerosight")
        raise WeightsError(f"{folder}: holds a '{values['architecture']}', not a '{expected}'; use {door}")
    return kind.parse(values, str(folder / CARD))


def read_card(folder: Path) -> dict[str, Any]:
    """Return the values of a card, of any architecture, as they stand in the file.

    Raises:
        WeightsError: The folder has no card, or one that cannot be read.
    """
    path = folder / CARD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{folder}: is not a model folder: it has no {CARD}") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: is damaged ({error})") from None
    if not isinstance(values, dict):
        raise WeightsError(f"{path}: is damaged (it should hold one JSON object)")
    return values


def save_card(card: Card, folder: Path) -> None:
    """Write the card as ``card.json`` for programs and ``README.md`` for people.

    Raises:
        OutputError: The folder cannot be written.
    """
    content = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_atomically(folder / CARD, content.encode() + b"\n")
    write_atomically(folder / README, render(card).encode())


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
