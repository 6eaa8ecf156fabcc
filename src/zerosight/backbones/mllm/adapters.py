"""What of a multimodal model is trained, and the file it is kept in: low-rank updates, or everything.

Above the read layer nothing would get a gradient, so nothing there is trained. The vision tower never is.
The file is safetensors and knows which base model it belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from zerosight.backbones.mllm.config import AdaptConfig
from zerosight.backbones.mllm.model import Mllm
from zerosight.errors import ConfigError, DamagedError, WeightsError
from zerosight.files import write_atomically
from zerosight.guarded.json import parse_json
from zerosight.weights import load_tensors, read_metadata

TOKENS = ("image_cls", "text_cls")
FACTS = "zerosight"


def adapt(mllm: Mllm, seed: int = 0) -> Mllm:
    """Make trainable what ``mllm.config.adapt`` says, in place; do it once.

    Special tokens are trained by both methods, the projector if so configured. Whatever is trained is kept in
    float32, whatever the precision of the rest.

    Args:
        mllm: A model whose weights are all frozen.
        seed: Same seed, same start of the updates.

    Raises:
        ConfigError: A target is no linear layer of the decoder, or a quantised model is to be trained fully.
    """
    settings = mllm.config.adapt
    if any(parameter.requires_grad for parameter in mllm.parameters()):
        raise ValueError("the model is adapted already; load it afresh")
    if settings.method == "frozen":
        return mllm
    if settings.method == "full":
        _unfreeze(mllm)
    else:
        _inject(mllm, settings, seed)
    if settings.projector:
        mllm.projector.float().requires_grad_(True)
    for tokens in (mllm.image_cls, mllm.text_cls):
        tokens.requires_grad_(True)
    return mllm


def widen(mllm: Mllm) -> Mllm:
    """Train every weight of a model that was adapted by low-rank updates, in place.

    The updates are added to the weights that they update, in float32, and go.

    Raises:
        ConfigError: The model is quantised.
    """
    settings = mllm.config.adapt.model_copy(update={"method": "full"})
    mllm.config = mllm.config.model_copy(update={"adapt": settings})
    mllm.requires_grad_(False)
    if mllm.config.quantise == "none":
        mllm.decoder.float()
        merge(mllm)
        for name, part in list(mllm.decoder.named_modules()):
            if isinstance(part, LoraLayer):
                mllm.decoder.set_submodule(name, part.get_base_layer())
    return adapt(mllm)


def trainable_groups(mllm: Mllm) -> dict[str, list[nn.Parameter]]:
    """Return what is trained as ``tokens``, ``projector`` and ``decoder``, for a learning rate each."""
    groups: dict[str, list[nn.Parameter]] = {"tokens": [], "projector": [], "decoder": []}
    projector = {id(parameter) for parameter in mllm.projector.parameters()}
    tokens = {id(mllm.image_cls), id(mllm.text_cls)}
    for parameter in mllm.parameters():
        if parameter.requires_grad:
            key = id(parameter)
            name = "tokens" if key in tokens else "projector" if key in projector else "decoder"
            groups[name].append(parameter)
    return groups


def merge(mllm: Mllm) -> None:
    """Add low-rank updates to the weights that they update, so that they cost nothing more; in place.

    Training goes on from the unmerged model only. A quantised model is left as it is: adding to rounded
    weights would round the updates.
    """
    if mllm.config.quantise != "none":
        return
    for part in mllm.decoder.modules():
        if isinstance(part, LoraLayer):
            part.merge()


def checkpoint_layers(mllm: Mllm) -> None:
    """Let the layers forget their activations in training and compute them again for the gradient."""
    for layer in mllm.decoder.get_submodule("layers").children():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.gradient_checkpointing = True
            vars(layer)["_gradient_checkpointing_func"] = partial(checkpoint, use_reentrant=False)


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
        "base": mllm.provenance.base,
        "name": mllm.provenance.name,
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
    if facts["base"] != mllm.provenance.base:
        raise WeightsError(
            f"{path}: was trained on another base model ({facts['name']}, {facts['base']}) than the one at "
            f"hand ({mllm.provenance.name}, {mllm.provenance.base}); load the one it was trained on"
        )
    if _object(facts["reading"], path) != _reading(mllm):
        raise WeightsError(
            f"{path}: was trained with {facts['reading']}, but the model is read with "
            f"{json.dumps(_reading(mllm))}; set these as in training"
        )
    settings = AdaptConfig.parse(_object(facts["adapt"], path), str(path))
    _check_rank(settings, tensors, path)
    mllm.config = mllm.config.model_copy(update={"adapt": settings})
    restore_tensors(adapt(mllm), tensors, str(path))
    return mllm


def restore_tensors(mllm: Mllm, tensors: dict[str, Tensor], source: str) -> None:
    """Put trained weights into an adapted model, in place.

    Args:
        mllm: Adapted as it was when they were saved.
        tensors: From :func:`trained_tensors`.
        source: What to call where they come from in an error.

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


def _unfreeze(mllm: Mllm) -> None:
    """Train the embeddings and every layer that runs, all in float32."""
    if mllm.config.quantise != "none":
        raise ConfigError("adapt.method: a quantised model cannot be trained in full; use lora")
    mllm.decoder.float()
    mllm.model.get_output_embeddings().float()
    mllm.model.get_input_embeddings().requires_grad_(True)
    for layer in list(mllm.decoder.get_submodule("layers").children())[: mllm.layers]:
        layer.requires_grad_(True)


def _inject(mllm: Mllm, settings: AdaptConfig, seed: int) -> None:
    """Put low-rank updates beside the targets of every decoder layer that runs."""
    layers = mllm.decoder.get_submodule("layers")
    linear = {name.rsplit(".", 1)[-1] for name, part in layers.named_modules() if isinstance(part, nn.Linear)}
    unknown = sorted(set(settings.targets) - linear)
    if unknown:
        raise ConfigError(
            f"adapt.targets: {mllm.provenance.name} has no linear layer '{unknown[0]}' in its decoder; "
            f"it has {', '.join(sorted(linear))}"
        )
    running = "|".join(str(index) for index in range(mllm.layers))
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=rf"model\.{mllm.family.decoder}\.layers\.({running})\..*({'|'.join(settings.targets)})",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inject_adapter_in_model(config, mllm.model)
    for part in mllm.decoder.modules():
        if isinstance(part, LoraLayer):
            part.lora_A.float()
            part.lora_B.float()


def _reading(mllm: Mllm) -> dict[str, int | str]:
    """Return the settings without which trained weights mean nothing; a causal image needs no word."""
    own = {"image_attention"} if mllm.config.image_attention == "full" else set()
    return mllm.config.model_dump(include={"cls_tokens", "read_layer"} | own)


def _facts(path: Path) -> dict[str, Any]:
    """Return what the file says about itself."""
    facts = _object(read_metadata(path).get(FACTS, "{}"), path)
    if not {"base", "name", "reading", "adapt"} <= facts.keys():
        raise WeightsError(f"{path}: does not say which model it belongs to, so zerosight did not save it")
    return facts


def _object(text: str, path: Path) -> dict[str, Any]:
    """Return the JSON object in one of the file's texts."""
    try:
        values = parse_json(text)
    except DamagedError as error:
        raise WeightsError(f"{path}: what it says about itself is damaged ({error})") from None
    if not isinstance(values, dict):
        raise WeightsError(f"{path}: what it says about itself is no JSON object")
    return values


def _check_rank(settings: AdaptConfig, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse updates of another rank than the file says, before the model is given updates of that rank."""
    ranks = {len(tensor) for name, tensor in tensors.items() if ".lora_A." in name and tensor.ndim}
    if settings.method == "lora" and ranks != {settings.rank}:
        raise WeightsError(
            f"{path}: says that its updates have rank {settings.rank}, but they have "
            f"{', '.join(map(str, sorted(ranks)[:3])) or 'none'}; train it again"
        )
