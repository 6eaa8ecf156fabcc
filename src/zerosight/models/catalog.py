"""Which models there are: those that come with the package, by name, and any folder with a card."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from zerosight.errors import WeightsError, did_you_mean
from zerosight.models.card import CARD, Card, ModelCard, load_card, read_card
from zerosight.models.llava_radz.card import RadzCard

CARDS: dict[str, type[Card]] = {"vip2clip": ModelCard, "llava-radz": RadzCard}


def architecture_of(name: str | Path) -> str:
    """Return the architecture that a model's card names.

    Raises:
        WeightsError: There is no such model, its card is damaged, or no such architecture is known.
    """
    folder = find_model(name)
    architecture = str(read_card(folder).get("architecture", "vip2clip"))
    if architecture not in CARDS:
        raise WeightsError(f"{folder}: holds a '{architecture}'; known: {', '.join(CARDS)}")
    return architecture


def recognises_findings(name: str | Path) -> bool:
    """Return whether a model recognises findings; exported graphs (files) find anomalies.

    Raises:
        WeightsError: As :func:`architecture_of`.
    """
    return not Path(name).is_file() and architecture_of(name) == "llava-radz"


def card_of(name: str | Path) -> Card:
    """Return the card of a model of any architecture.

    Raises:
        WeightsError: As :func:`architecture_of`.
        ConfigError: A key or value of the card is not valid.
    """
    return load_card(find_model(name), CARDS[architecture_of(name)])


def find_model(name: str | Path) -> Path:
    """Return the folder of a model.

    Raises:
        WeightsError: No shipped model and no folder has this name.
    """
    shipped = shipped_models()
    if str(name) in shipped:
        return shipped[str(name)]
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    raise WeightsError(
        f"no model or model folder is called '{name}'{did_you_mean(str(name), shipped)}; "
        f"shipped: {', '.join(shipped) or 'none'}"
    )


def shipped_models() -> dict[str, Path]:
    """Return the folders of the models that come with the package, by name."""
    with as_file(files("zerosight") / "models" / "shipped") as folder:
        return {card.parent.name: card.parent for card in sorted(folder.glob(f"*/{CARD}"))}
