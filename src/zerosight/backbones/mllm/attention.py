"""Where a decoder looks: attention weights of its layers, without hooks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from zerosight.backbones.mllm.families import shallow
from zerosight.backbones.mllm.masks import sight_mask


class Recorder(nn.Module):
    """An attention block that keeps its weights of the last call.

    Args:
        attention: The block; it must compute its weights openly ("eager").
    """

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention
        self.weights = torch.empty(0)

    def forward(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Return what the block returns."""
        output, self.weights = self.attention(*args, **kwargs)
        return output, self.weights


def last_attention(
    decoder: PreTrainedModel, embedded: Float[Tensor, "batch length width"], images: Sequence[slice] = ()
) -> Float[Tensor, "batch length length"]:
    """Return how much each token attends to each, in the decoder's last layer, mean over heads.

    Args:
        decoder: A decoder or a view on one; it is not changed.
        embedded: Sequences of equal length, without padding.
        images: As for :func:`zerosight.backbones.mllm.masks.sight_mask`.
    """
    _, weights = with_attention(decoder, embedded, images, layers=1)
    return weights[-1].float().mean(1)


def with_attention(
    decoder: PreTrainedModel,
    embedded: Float[Tensor, "batch length width"],
    images: Sequence[slice] = (),
    layers: int | None = None,
) -> tuple[Float[Tensor, "batch length width"], list[Float[Tensor, "batch head length length"]]]:
    """Return a decoder's last states, and the attention weights of its last layers on the way to them.

    Args:
        decoder: A decoder or a view on one; it is not changed.
        embedded: Sequences of equal length, without padding.
        images: As for :func:`zerosight.backbones.mllm.masks.sight_mask`.
        layers: How many of the last layers give their weights; None takes all.
    """
    view = shallow(decoder)
    blocks = list(decoder.get_submodule("layers").children())
    config = copy.copy(decoder.config)
    config._attn_implementation = "eager"
    recorders: list[Recorder] = []
    for place in range(len(blocks))[-(layers or len(blocks)) :]:
        block = shallow(blocks[place])
        attention: Any = shallow(block.get_submodule("self_attn"))
        attention.config = config
        recorders.append(Recorder(attention))
        block.self_attn = recorders[-1]
        blocks[place] = block
    view.layers = nn.ModuleList(blocks)
    mask = sight_mask(embedded, images)
    states = view(inputs_embeds=embedded, attention_mask=mask, use_cache=False).last_hidden_state
    return states, [recorder.weights for recorder in recorders]
