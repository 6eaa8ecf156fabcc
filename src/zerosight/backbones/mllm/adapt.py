"""What of a multimodal model is trained: low-rank updates or everything, up to the layer that is read.

Above the read layer nothing would get a gradient, so nothing there is trained. The vision tower never is.
"""

from __future__ import annotations

from functools import partial

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from zerosight.backbones.mllm.config import AdaptConfig
from zerosight.backbones.mllm.model import Mllm
from zerosight.errors import ConfigError


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
            f"adapt.targets: {mllm.origin.name} has no linear layer '{unknown[0]}' in its decoder; "
            f"it has {', '.join(sorted(linear))}"
        )
    running = "|".join(str(index) for index in range(mllm.layers))
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=rf"model\.{mllm.shape.decoder}\.layers\.({running})\..*({'|'.join(settings.targets)})",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inject_adapter_in_model(config, mllm.model)
    for part in mllm.decoder.modules():
        if isinstance(part, LoraLayer):
            part.lora_A.float()
            part.lora_B.float()
