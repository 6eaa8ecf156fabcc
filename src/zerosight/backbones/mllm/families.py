"""Where a Hugging Face vision-language model keeps its parts, and views on them.

A view is a shallow copy that shares every weight but leaves something out. Nothing is hooked and the model
itself is not changed, so training, generation and adapters go on working on it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from zerosight.backbones.mllm.masks import sight_mask
from zerosight.errors import WeightsError

M = TypeVar("M", bound=nn.Module)
PLACED = ("forward", "_old_forward", "_hf_hook")


@dataclass(frozen=True, slots=True)
class Family:
    """Names of a family's parts.

    Attributes:
        tower: Vision tower.
        projector: What brings the tower's features to the decoder's width.
        decoder: The language model without its head.
        frames: Pixels come with an axis of images per sample.
        placeholder: What the chat template writes where the image goes.
        framing: What the family's own processor writes there, ``{}`` being the image tokens.
    """

    tower: str = "vision_tower"
    projector: str = "multi_modal_projector"
    decoder: str = "language_model"
    frames: bool = False
    placeholder: str = "<image>"
    framing: str = "{}"


IDEFICS = Family(
    tower="vision_model",
    projector="connector",
    decoder="text_model",
    frames=True,
    framing="<fake_token_around_image><global-img>{}<fake_token_around_image>",
)
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "llava": Family(),
        "smolvlm": IDEFICS,
        "idefics3": IDEFICS,
        "gemma3": Family(placeholder="<start_of_image>", framing="\n\n<start_of_image>{}<end_of_image>\n\n"),
        "internvl": Family(placeholder="<IMG_CONTEXT>", framing="<img>{}</img>"),
    }
)
WHY_NOT: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe"),
        "its tower takes patches in a row with their grid, and its decoder positions of three axes; neither "
        "is made here",
    )
)
"""Current families that are not read, and why."""


def family_of(model_type: str, source: str) -> Family:
    """Return where a model of this type keeps its parts.

    Args:
        model_type: ``config.model_type``.
        source: What to call the model in an error.

    Raises:
        WeightsError: It is not of a known vision-language family.
    """
    if model_type not in FAMILIES:
        why = f", which is not read: {WHY_NOT[model_type]}" if model_type in WHY_NOT else ""
        raise WeightsError(
            f"{source}: is a '{model_type}' model{why}; give a vision-language model of one of the types "
            f"{', '.join(FAMILIES)}"
        )
    return FAMILIES[model_type]


def before_projector(
    core: nn.Module, family: Family, images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch n vision"]:
    """Return what the model itself would give to its projector.

    Args:
        core: The model without its language head.
        family: Where its parts are.
        images: The vision tower's input.
    """
    view: Any = shallow(core)
    setattr(view, family.projector, nn.Identity())
    outputs = view.get_image_features(pixel_values=images[:, None] if family.frames else images)
    return torch.stack(list(outputs.pooler_output))


def up_to_layer(decoder: PreTrainedModel, layers: int) -> PreTrainedModel:
    """Return a view that runs the first ``layers`` blocks and returns their raw output, not normed."""
    view = shallow(decoder)
    blocks = decoder.get_submodule("layers")
    assert isinstance(blocks, nn.ModuleList)
    view.layers = blocks[:layers]
    view.norm = nn.Identity()
    return view


def run_decoder(
    decoder: PreTrainedModel, rows: Sequence[Float[Tensor, "_ width"]], images: Sequence[slice] = ()
) -> Float[Tensor, "batch length width"]:
    """Return the last states of a decoder (or a view on one) on sequences padded to the right.

    Args:
        decoder: It is not changed.
        rows: Embedded sequences.
        images: Per sequence, its image tokens, if they see each other in both directions.
    """
    embedded = pad_sequence(list(rows), batch_first=True)
    mask = sight_mask(embedded, images) if images else None
    states: Tensor = decoder(inputs_embeds=embedded, attention_mask=mask, use_cache=False).last_hidden_state
    return states


@torch.no_grad()
def looks_ahead(decoder: PreTrainedModel, pair: Sequence[Float[Tensor, "3 width"]]) -> bool:
    """Return whether a decoder's first token sees its second one where a mask lets it.

    Args:
        decoder: It is not changed; its first layer runs.
        pair: Two embedded sequences that differ in their second token alone.
    """
    try:
        first, other = run_decoder(up_to_layer(decoder, 1), pair, [slice(0, 2)] * 2)[:, 0]
    except (RuntimeError, TypeError, ValueError):  # attention of another kind may take no such mask at all
        return False
    return not torch.equal(first, other)


def shallow(module: M) -> M:
    """Return a copy of a module that shares its parts, any of which may be replaced in the copy.

    What accelerate puts on a module to place it on a device is left out of the copy: it is bound to the
    original. The parts keep theirs.
    """
    view = copy.copy(module)
    for name in PLACED:
        vars(view).pop(name, None)
    view._modules = dict(module._modules)
    return view
