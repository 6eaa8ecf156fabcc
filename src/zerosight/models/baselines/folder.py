"""Folders of baselines: weights and card, saved and opened together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerosight.backbones.build import build_encoder
from zerosight.backbones.dual_encoder import DualEncoder
from zerosight.models.baselines.card import BaselineCard
from zerosight.models.baselines.detector import Detector
from zerosight.models.card import WEIGHTS
from zerosight.models.catalog import find_model, load_card
from zerosight.models.folder import check_encoder, filled, read_weights, save_on_encoder


@dataclass(frozen=True, slots=True, eq=False)
class LoadedBaseline:
    """A detector in evaluation mode with its card."""

    detector: Detector
    card: BaselineCard


def save_baseline(detector: Detector, card: BaselineCard, folder: Path) -> BaselineCard:
    """Write a model folder and return the card as written, with its hashes filled in.

    Raises:
        OutputError: The folder cannot be written.
    """
    return save_on_encoder(detector, card, folder, detector.encoder, detector=detector.config)


def load_baseline(name: str | Path, encoder: DualEncoder | None = None) -> LoadedBaseline:
    """Return a baseline ready to use.

    Args:
        name: A shipped model's name or a model folder.
        encoder: The backbone, if it is already loaded; None loads the one the card names.

    Raises:
        WeightsError: There is no such model, its weights are damaged, or they belong to another backbone.
    """
    folder = find_model(name)
    card = load_card(folder, BaselineCard)
    path = folder / WEIGHTS
    tensors = read_weights(path, card.weights_sha256)
    encoder = encoder or build_encoder(card.backbone)
    check_encoder(encoder, card.backbone_fingerprint, folder)
    return LoadedBaseline(filled(Detector(encoder, card.detector), tensors, path), card)
