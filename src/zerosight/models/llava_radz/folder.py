"""Folders of LLaVA-RadZ: what was trained on a language model, the heads, and the card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from zerosight.backbones.mllm.adapters import load_adapter, merge, save_adapter
from zerosight.backbones.mllm.load import load_mllm
from zerosight.backbones.mllm.model import Mllm
from zerosight.errors import WeightsError
from zerosight.files import sha256
from zerosight.models.card import WEIGHTS, save_card
from zerosight.models.catalog import find_model, load_card
from zerosight.models.familiarity import Familiarity, load_familiarity
from zerosight.models.llava_radz.anchor_cache import model_key
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.weights import check_sizes, load_tensors, save_tensors, usable_device

ADAPTER = "adapter.safetensors"
MLLM = "mllm."


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model in evaluation mode with its card.

    Attributes:
        model: The network.
        card: What is known of its weights.
        key: Changes with the language model, how it is read, and everything trained; keys caches.
        familiarity: Tells images like those of training from others; None where that is not known.
    """

    model: LlavaRadz
    card: RadzCard
    key: str
    familiarity: Familiarity | None = None


def save_model(model: LlavaRadz, card: RadzCard, folder: Path) -> RadzCard:
    """Write a model folder and return the card as written, with its hashes filled in.

    The language model itself is not in it: the card names it, the adapter knows it.

    Raises:
        OutputError: The folder cannot be written.
    """
    save_adapter(model.mllm, folder / ADAPTER)
    heads = {name: value for name, value in model.state_dict().items() if not name.startswith(MLLM)}
    save_tensors(heads, folder / WEIGHTS)
    card = card.model_copy(
        update={
            "model": model.config,
            "mllm": model.mllm.config,
            "base_fingerprint": model.mllm.fingerprint,
            "weights_sha256": sha256(folder / WEIGHTS),
            "adapter_sha256": sha256(folder / ADAPTER),
        }
    )
    save_card(card, folder)
    return card


def load_model(
    name: str | Path, device: str = "cpu", mllm: Mllm | None = None, trainable: bool = False
) -> LoadedModel:
    """Return a model ready to use.

    Args:
        name: A shipped model's name or a model folder.
        device: ``cpu``, ``cuda`` or ``cuda:1``; a model that its configuration places is left where it is.
        mllm: The language model, if it is already loaded and not adapted; None loads the one the card names.
        trainable: Leave what was trained ready to be trained on.

    Raises:
        WeightsError: There is no such model, its weights are damaged, or another language model's.
    """
    folder = find_model(name)
    card = load_card(folder, RadzCard)
    for file, expected in ((WEIGHTS, card.weights_sha256), (ADAPTER, card.adapter_sha256)):
        if expected and (folder / file).is_file() and sha256(folder / file) != expected:
            raise WeightsError(
                f"{folder / file}: is not the file its card describes (SHA-256 differs); get it again"
            )
    heads = load_tensors(folder / WEIGHTS)
    check_sizes(heads, card.model.sizes(), folder / WEIGHTS)
    adapted = load_adapter(mllm or load_mllm(card.mllm), folder / ADAPTER)
    model = LlavaRadz(adapted, card.model)
    own = {name for name in model.state_dict() if not name.startswith(MLLM)}
    misfit = sorted(own ^ heads.keys()) or [
        name for name in own if model.state_dict()[name].shape != heads[name].shape
    ]
    if misfit:
        raise WeightsError(f"{folder / WEIGHTS}: does not fit its card ('{misfit[0]}')")
    with torch.no_grad():
        model.load_state_dict(heads, strict=False)
    model.eval()
    if not trainable:
        model.requires_grad_(False)
        merge(model.mllm)
    if card.mllm.device_map is None:
        model.to(usable_device(device))
    key = model_key(adapted.fingerprint, folder / WEIGHTS, folder / ADAPTER)
    known = load_familiarity(folder, card.familiarity.sha256) if card.familiarity else None
    return LoadedModel(model, card, key, known)
