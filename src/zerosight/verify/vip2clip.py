"""ViP²-CLIP against arrays that the published implementation computed.

The files hold results only: every weight is drawn anew from its name, its shape and the file's seed.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from zerosight.backbones.openclip import OPENAI_MEAN, OPENAI_STD, OpenClipEncoder
from zerosight.backbones.openclip_load import clip_from_state_dict, simple_tokenizer
from zerosight.models.vip2clip.losses import training_losses
from zerosight.models.vip2clip.model import Alignment, Vip2Clip
from zerosight.models.vip2clip.published import FGP_NAMES, ICA_NAMES, from_published
from zerosight.models.vip2clip.utpa import anomaly_map
from zerosight.preprocess import Preprocess
from zerosight.verify.report import Difference, difference, load_case

ICA_RATE, FGP_RATE = 1e-3, 1e-5
QUIRK_WORD = "damaged"
REQUIRED = (
    "seed",
    "clip_shapes",
    "checkpoint_shapes",
    "feature_layers_1based",
    "image_size",
    "batch",
    "top_k",
)


def verify_vip2clip(prefix: Path) -> list[Difference]:
    """Return the largest difference of every array of ``PREFIX.npz`` and ``PREFIX.json``.

    Raises:
        DataError: A file is missing or is not of this format.
    """
    facts, arrays = load_case(prefix, *REQUIRED)
    encoder, model = recreate(facts)
    images = torch.from_numpy(draw("image", (facts["batch"], 3, *[facts["image_size"]] * 2), facts["seed"]))
    with torch.no_grad():
        pooled, tokens = encoder.tower(images)
        features = encoder.encode_image(images)
    alignment = model(features)
    size = facts["image_size"]
    ours: dict[str, Tensor] = {
        "pooled_raw": pooled,
        "patches_raw": tokens,
        "token_ids": _prompt_ids(facts, encoder, "good"),
        "token_ids_neg": _prompt_ids(facts, encoder, QUIRK_WORD),
        "text": alignment.text,
        "aux_text": alignment.aux_text,
        "cosine": alignment.cosines,
        "image_logits": alignment.image_logits,
        "image_prob": alignment.scores,
    }
    for sigma in (0, *facts.get("sigmas", ())):
        name = f"map_sigma{sigma}" if sigma else "map"
        ours[name] = anomaly_map(alignment.cosines, model.config.temperature, size, float(sigma))
    ours |= _training(model, alignment, arrays, size)
    return [
        difference(name, ours[name].detach(), expected)
        for name, expected in arrays.items()
        if name not in ("gt", "label")
    ] + [
        difference(f"grad_norm.{name}", ours[f"grad.{name}"].norm(), np.asarray(norm), relative=True)
        for name, norm in facts.get("grad_norms", {}).items()
        if f"grad.{name}" in ours and norm > 1e-6
    ]


def recreate(facts: Mapping[str, Any]) -> tuple[OpenClipEncoder, Vip2Clip]:
    """Return the encoder and the model whose weights the recipe draws."""
    seed = facts["seed"]
    clip = clip_from_state_dict(
        {name: _weight("clip.", name, shape, seed) for name, shape in facts["clip_shapes"].items()}
    )
    preprocess = Preprocess(facts["image_size"], OPENAI_MEAN, OPENAI_STD)
    encoder = OpenClipEncoder(clip, simple_tokenizer, preprocess, tuple(facts["feature_layers_1based"]))
    states = {
        group: {
            name: _weight(prefix, name, shape, seed)
            for name, shape in facts["checkpoint_shapes"][group].items()
            if not name.startswith("token")
        }
        for group, prefix in (("prompt_learner", "ica."), ("Zero_try", "fgp."))
    }
    learner = states["prompt_learner"] | _token_buffers(facts, encoder)
    model, _ = from_published(learner, states["Zero_try"], encoder)
    model.config = model.config.model_copy(
        update={"top_k": facts["top_k"], "temperature": facts["temperature"]}
    )
    return encoder, model


def draw(name: str, shape: tuple[int, ...], seed: int) -> Float32[np.ndarray, "..."]:
    """Return the standard normal array that belongs to a name."""
    state = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    return state.standard_normal(shape).astype(np.float32)


def _weight(prefix: str, name: str, shape: list[int], seed: int) -> Tensor:
    if not shape:
        return torch.tensor(math.log(1 / 0.07))
    r = draw(prefix + name, tuple(shape), seed)
    last = name.rsplit(".", 1)[-1]
    if "ln_" in name and last == "weight":
        r = 1 + 0.1 * r
    elif last in ("bias", "in_proj_bias"):
        r = 0.05 * r
    elif "ctx" in name:
        r = 0.5 * r
    elif "embedding" in name or len(shape) == 1:
        r = 0.1 * r
    else:
        fan = shape[0] if name in ("visual.proj", "text_projection") else math.prod(shape[1:])
        gain = 20 if name in ("q_proj_pre.weight", "k_proj_pre_1.weight") else 1
        r = r * (gain / math.sqrt(fan))
    return torch.from_numpy(r.astype(np.float32))


def _prompt_ids(facts: Mapping[str, Any], encoder: OpenClipEncoder, word: str) -> Tensor:
    """Return the token ids of "X … X WORD X … X", as the published code writes its prompts."""
    return encoder.tokenizer([" ".join(["X"] * facts["n_ctx"] + [word] + ["X"] * facts["n_cls"])])


def _token_buffers(facts: Mapping[str, Any], encoder: OpenClipEncoder) -> dict[str, Tensor]:
    """Return the buffers that the published code cuts from its prompt's embedding, the same for both."""
    tokens, word = encoder.prompt_tokens(), encoder.embed_words(QUIRK_WORD)
    shapes = facts["checkpoint_shapes"]["prompt_learner"]
    padding = tokens.padding.expand(shapes["token_suffix_pos"][1] - 1, -1)
    parts = {"prefix": tokens.start, "middle": word, "suffix": torch.cat([tokens.end, padding])}
    return {f"token_{part}_{s}": value[None] for part, value in parts.items() for s in ("pos", "neg")}


def _training(
    model: Vip2Clip, alignment: Alignment, arrays: Mapping[str, np.ndarray], size: int
) -> dict[str, Tensor]:
    """Return the losses, the gradients of their sum, and the parameters after one step of Adam."""
    masks = torch.from_numpy(arrays["gt"]).bool()
    labels = torch.from_numpy(arrays["label"])
    losses = training_losses(model.level_maps(alignment, size), alignment.image_logits, masks, labels)
    losses.total.backward()
    optimiser = torch.optim.Adam(
        [
            {"params": model.ica.parameters(), "lr": ICA_RATE},
            {"params": model.fgp.parameters(), "lr": FGP_RATE},
        ]
    )
    optimiser.step()
    values = {
        "loss_focal": losses.focal,
        "loss_dice_abnormal": losses.dice_abnormal,
        "loss_dice_normal": losses.dice_normal,
        "loss_ce": losses.cross_entropy,
        "loss_total": losses.total,
    }
    for name, parameter in _published_parameters(model).items():
        gradient = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
        values |= {f"grad.{name}": gradient, f"adam1.{name}": parameter.detach()}
    return values


def _published_parameters(model: Vip2Clip) -> dict[str, torch.nn.Parameter]:
    named = {}
    for name, parameter in model.ica.named_parameters():
        published = ICA_NAMES.get(name, name.replace("meta_nets", "cls_prompter.fc"))
        named[f"ica.{published}"] = parameter
    for name, parameter in model.fgp.named_parameters():
        ours, kind = name.split(".")
        named[f"fgp.{FGP_NAMES[ours]}.{kind}"] = parameter
    return named
