"""The card: everything about trained weights that is not a tensor, for programs and for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from zerosight.backbones.config import BackboneConfig
from zerosight.config import Config
from zerosight.errors import WeightsError
from zerosight.files import write_atomically
from zerosight.models.vip2clip.config import Vip2ClipConfig

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


class ModelCard(Config):
    """What a model folder says about its weights."""

    name: str
    architecture: str = "vip2clip"
    model: Vip2ClipConfig = Vip2ClipConfig()
    backbone: BackboneConfig = BackboneConfig()
    backbone_fingerprint: str = ""
    thresholds: Thresholds = Thresholds()
    weights_sha256: str = ""
    licence: str = "Apache-2.0"
    intended_use: str = INTENDED_USE
    training: dict[str, Any] = Field({}, description="data, seed, command and settings that made the weights")
    quality: list[dict[str, Any]] = Field([], description="measured results, each with the command")
    notes: tuple[str, ...] = ()


def load_card(folder: Path) -> ModelCard:
    """Return the card of a model folder.

    Raises:
        WeightsError: The folder has no card, or one that cannot be read.
        ConfigError: A key or value of the card is not valid.
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
    return ModelCard.parse(values, str(path))


def save_card(card: ModelCard, folder: Path) -> None:
    """Write the card as ``card.json`` for programs and ``README.md`` for people.

    Raises:
        OutputError: The folder cannot be written.
    """
    content = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_atomically(folder / CARD, content.encode() + b"\n")
    write_atomically(folder / README, render(card).encode())


def render(card: ModelCard) -> str:
    """Return the card as Markdown."""
    lines = [f"# {card.name}", "", "## Intended use", "", card.intended_use, "", "## Facts", ""]
    backbone = card.backbone
    facts = {
        "Architecture": card.architecture,
        "Backbone": " ".join(filter(None, (backbone.kind, backbone.model, backbone.weights))),
        "Backbone fingerprint": card.backbone_fingerprint,
        "Licence of these weights": card.licence,
        "SHA-256": card.weights_sha256,
        "Image threshold": f"{card.thresholds.image:.4f}",
        "Pixel threshold": f"{card.thresholds.pixel:.4f}",
        "Thresholds chosen on": card.thresholds.source,
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
