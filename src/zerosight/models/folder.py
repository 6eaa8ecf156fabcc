"""What folders of models on a frozen encoder have in common: what the card says of the weights is held to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from zerosight.backbones.dual_encoder import DualEncoder
from zerosight.errors import WeightsError
from zerosight.files import sha256
from zerosight.models.card import WEIGHTS, Card, save_card
from zerosight.weights import load_tensors, save_tensors

C = TypeVar("C", bound=Card)
M = TypeVar("M", bound=nn.Module)


def save_on_encoder(module: nn.Module, card: C, folder: Path, encoder: DualEncoder, **changes: object) -> C:
    """Write weights and card into a folder and return the card as written, with its hashes filled in.

    Args:
        module: What was trained; the encoder is no part of it.
        card: Of an architecture that names its backbone.
        folder: Where to.
        encoder: What the weights belong to.
        **changes: Further values of the card, as the module has them.

    Raises:
        OutputError: The folder cannot be written.
    """
    save_tensors(module.state_dict(), folder / WEIGHTS)
    hashes = {"backbone_fingerprint": encoder.fingerprint, "weights_sha256": sha256(folder / WEIGHTS)}
    card = card.model_copy(update=changes | hashes)
    save_card(card, folder)
    return card


def read_weights(path: Path, digest: str, mend: str = "get it again") -> dict[str, Tensor]:
    """Return the tensors of a file.

    Args:
        path: The file.
        digest: SHA-256 that its card gives; empty if it gives none.
        mend: What helps if it is another file.

    Raises:
        WeightsError: The file is damaged, or not the one its card describes.
    """
    tensors = load_tensors(path)
    if digest and sha256(path) != digest:
        raise WeightsError(f"{path}: is not the file its card describes (SHA-256 differs); {mend}")
    return tensors


def check_encoder(encoder: DualEncoder, fingerprint: str, folder: Path) -> None:
    """Refuse an encoder that the weights do not belong to.

    Raises:
        WeightsError: The card gives another backbone's fingerprint.
    """
    if fingerprint and encoder.fingerprint != fingerprint:
        raise WeightsError(
            f"{folder}: was trained on another backbone ({fingerprint}) than the one at hand "
            f"({encoder.fingerprint}); use the one its card names"
        )


def filled(module: M, tensors: Mapping[str, Tensor], path: Path) -> M:
    """Return a module with the weights of a file, ready to judge.

    Raises:
        WeightsError: The file has other tensors than the card describes.
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(f"{path}: does not fit its card: {' '.join(str(error).split())[:200]}") from None
    return module.eval().requires_grad_(False)
