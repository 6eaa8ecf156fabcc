"""Text features of whole sentences, from the text tower as it is."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from zerosight.backbones.dual_encoder import DualEncoder
from zerosight.models.baselines.config import Sentences


@torch.no_grad()
def sentence_feature(encoder: DualEncoder, sentence: str) -> Float[Tensor, "dim"]:
    """Return the feature of one sentence, L2-normalised."""
    frame = encoder.prompt_tokens()
    words = encoder.embed_words(sentence)[: encoder.context_length - len(frame.start) - len(frame.end)]
    tokens = torch.cat([frame.start, words, frame.end])
    missing = encoder.context_length - len(tokens)
    padded = torch.cat([tokens, frame.padding.expand(missing, -1)])
    return F.normalize(encoder.encode_prompts(padded[None], len(tokens) - 1)[0], dim=-1)


def state_features(encoder: DualEncoder, method: Sentences, name: str) -> Float[Tensor, "2 dim"]:
    """Return the mean features of the sentences about the normal and the abnormal state, L2-normalised.

    Args:
        encoder: Its text tower.
        method: States and templates.
        name: What the thing is called.
    """

    def mean(states: Iterable[str]) -> Tensor:
        sentences = [template.format(state.format(name)) for state in states for template in method.templates]
        features = torch.stack([sentence_feature(encoder, one) for one in sentences])
        return F.normalize(features.mean(0), dim=-1)

    return torch.stack([mean(method.normal), mean(method.abnormal)])
