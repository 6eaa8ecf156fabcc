"""Folders of ViP²-CLIP: weights and card, saved and opened together."""

from __future__ import annotations

from pathlib import Path

from zerosight.backbones.build import build_encoder
from zerosight.backbones.dual_encoder import DualEncoder
from zerosight.errors import WeightsError
from zerosight.files import sha256
from zerosight.models.card import WEIGHTS, ModelCard, load_card, save_card
from zerosight.models.catalog import find_model
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.weights import load_tensors, save_tensors


def save_model(model: Vip2Clip, card: ModelCard, folder: Path) -> ModelCard:
    """Write a model folder and return the card as written, with its hashes filled in.

    Raises:
        OutputError: The folder cannot be written.
    """
    save_tensors(model.state_dict(), folder / WEIGHTS)
    card = card.model_copy(
        update={
            "model": model.config,
            "backbone_fingerprint": model.encoder.fingerprint,
            "weights_sha256": sha256(folder / WEIGHTS),
        }
    )
    save_card(card, folder)
    return card


def load_model(name: str | Path, encoder: DualEncoder | None = None) -> tuple[Vip2Clip, ModelCard]:
    """Return a model ready to use, and its card.

    Args:
        name: A shipped model's name or a model folder.
        encoder: The backbone, if it is already loaded; None loads the one the card names.

    Raises:
        WeightsError: There is no such model, its weights are damaged, or they belong to another backbone.
    """
    folder = find_model(name)
    card = load_card(folder, ModelCard)
    path = folder / WEIGHTS
    tensors = load_tensors(path)
    if card.weights_sha256 and sha256(path) != card.weights_sha256:
        raise WeightsError(f"{path}: is not the file its card describes (SHA-256 differs); get it again")
    encoder = encoder or build_encoder(card.backbone)
    if card.backbone_fingerprint and encoder.fingerprint != card.backbone_fingerprint:
        raise WeightsError(
            f"{folder}: was trained on another backbone ({card.backbone_fingerprint}) than the one at hand "
            f"({encoder.fingerprint}); use the one its card names"
        )
    model = Vip2Clip(encoder, card.model)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(f"{path}: does not fit its card: {' '.join(str(error).split())[:200]}") from None
    return model.eval().requires_grad_(False), card


def copy_model(name: str | Path, card: ModelCard, folder: Path) -> None:
    """Write a model folder with the weights of another and a card of its own.

    Raises:
        WeightsError: There is no such model.
        OutputError: The folder cannot be written.
    """
    save_tensors(load_tensors(find_model(name) / WEIGHTS), folder / WEIGHTS)
    save_card(card.model_copy(update={"weights_sha256": sha256(folder / WEIGHTS)}), folder)
