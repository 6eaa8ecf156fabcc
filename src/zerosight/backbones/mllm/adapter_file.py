"""Trained parts of a multimodal model in one safetensors file that knows which base it belongs to."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from zerosight.backbones.mllm.adapt import adapt
from zerosight.backbones.mllm.config import AdaptConfig
from zerosight.backbones.mllm.model import Mllm
from zerosight.errors import WeightsError
from zerosight.files import write_atomically
from zerosight.weights import load_tensors

TOKENS = ("image_cls", "text_cls")
FACTS = "zerosight"


def trained_tensors(mllm: Mllm) -> dict[str, Tensor]:
    """Return the trained weights by name, and the special tokens even if they are frozen."""
    return {
        name: parameter.detach()
        for name, parameter in mllm.named_parameters()
        if parameter.requires_grad or name in TOKENS
    }


def save_adapter(mllm: Mllm, path: Path) -> None:
    """Write what was trained, all of the file or nothing.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    facts = {
        "base": mllm.origin.base,
        "name": mllm.origin.name,
        "reading": json.dumps(_reading(mllm)),
        "adapt": mllm.config.adapt.model_dump_json(),
    }
    tensors = {name: tensor.cpu().contiguous() for name, tensor in trained_tensors(mllm).items()}
    # In one entry, as safetensors writes several in an order of its own: same weights, same bytes.
    write_atomically(path, save(tensors, {FACTS: json.dumps(facts)}))


def load_adapter(mllm: Mllm, path: Path) -> Mllm:
    """Adapt a fresh model as the one that was saved was adapted, load what was trained, and return it.

    Args:
        mllm: The base model, frozen; changed in place. It may be of another precision than in training.
        path: From :func:`save_adapter`.

    Raises:
        WeightsError: The file is missing or damaged, or belongs to another base model or way of reading it.
    """
    tensors, facts = load_tensors(path), _facts(path)
    if facts["base"] != mllm.origin.base:
        raise WeightsError(
            f"{path}: was trained on another base model ({facts['name']}, {facts['base']}) than the one at "
            f"hand ({mllm.origin.name}, {mllm.origin.base}); load the one it was trained on"
        )
    if json.loads(facts["reading"]) != _reading(mllm):
        raise WeightsError(
            f"{path}: was trained with {facts['reading']}, but the model is read with "
            f"{json.dumps(_reading(mllm))}; set these as in training"
        )
    settings = AdaptConfig.parse(json.loads(facts["adapt"]), str(path))
    mllm.config = mllm.config.model_copy(update={"adapt": settings})
    restore_tensors(adapt(mllm), tensors, str(path))
    return mllm


def restore_tensors(mllm: Mllm, tensors: dict[str, Tensor], source: str) -> None:
    """Put trained weights into an adapted model, in place.

    Args:
        mllm: Adapted as it was when they were saved.
        tensors: From :func:`trained_tensors`.
        source: What to call their origin in an error.

    Raises:
        WeightsError: They are not exactly the trained weights of this model.
    """
    wanted = trained_tensors(mllm)
    odd = sorted(wanted.keys() ^ tensors.keys())
    odd += [name for name in wanted if not odd and wanted[name].shape != tensors[name].shape]
    if odd:
        raise WeightsError(
            f"{source}: is not of this model: '{odd[0]}' is missing, unknown or of another shape"
        )
    for name, tensor in tensors.items():
        wanted[name].copy_(tensor)


def _reading(mllm: Mllm) -> dict[str, int]:
    """Return the settings without which trained weights mean nothing."""
    return mllm.config.model_dump(include={"cls_tokens", "read_layer"})


def _facts(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, "pt") as file:
            content = (file.metadata() or {}).get(FACTS, "{}")
        facts: dict[str, str] = json.loads(content)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: is damaged or not a safetensors file ({error})") from None
    if not {"base", "name", "reading", "adapt"} <= facts.keys():
        raise WeightsError(f"{path}: does not say which model it belongs to, so zerosight did not save it")
    return facts
