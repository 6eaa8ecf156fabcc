"""Folders of ViP²-CLIP: weights and card, saved and opened together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerosight.backbones.build import build_encoder
from zerosight.backbones.dual_encoder import DualEncoder
from zerosight.models.card import WEIGHTS
from zerosight.models.catalog import find_model, load_card
from zerosight.models.familiarity import Familiarity, load_familiarity
from zerosight.models.folder import check_encoder, filled, read_weights, save_on_encoder
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.weights import check_sizes


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model in evaluation mode with its card.

    Attributes:
        model: The network.
        card: What is known of its weights.
        familiarity: Tells images like those of training from others; None where that is not known.
    """

    model: Vip2Clip
    card: Vip2ClipCard
    familiarity: Familiarity | None = None


def save_model(model: Vip2Clip, card: Vip2ClipCard, folder: Path) -> Vip2ClipCard:
    """Write a model folder and return the card as written, with its hashes filled in.

    Raises:
        OutputError: The folder cannot be written.
    """
    return save_on_encoder(model, card, folder, model.encoder, model=model.config)


def load_model(name: str | Path, encoder: DualEncoder | None = None) -> LoadedModel:
    """Return a model ready to use.

    Args:
        name: A shipped model's name or a model folder.
        encoder: The backbone, if it is already loaded; None loads the one the card names.

    Raises:
        WeightsError: There is no such model, its weights are damaged, or they belong to another backbone.
    """
    folder = find_model(name)
    card = load_card(folder, Vip2ClipCard)
    path = folder / WEIGHTS
    tensors = read_weights(path, card.weights_sha256)
    check_sizes(tensors, card.model.sizes(), path)
    encoder = encoder or build_encoder(card.backbone)
    check_encoder(encoder, card.backbone_fingerprint, folder)
    known = load_familiarity(folder, card.familiarity.sha256) if card.familiarity else None
    return LoadedModel(filled(Vip2Clip(encoder, card.model), tensors, path), card, known)
