"""The special tokens that close a sequence: vectors that enter a decoder like the embeddings of words.

Departures: the paper does not say how they start. Here each starts as a random vector with the mean and the
spread of the model's own embeddings, so that the decoder meets nothing it could not have met before.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

SAMPLE = 4096


def special_tokens(
    words: nn.Embedding, shape: tuple[int, int], seed: int
) -> tuple[Float[nn.Parameter, "count width"], ...]:
    """Return sets of frozen vectors, in float32.

    Args:
        words: The model's embeddings; up to 4096 of them, evenly spread, are looked at.
        shape: Number of sets, and of vectors in each.
        seed: Same seed, same vectors.
    """
    rows = len(words.weight)
    known = torch.linspace(0, rows - 1, min(rows, SAMPLE)).long()
    with torch.no_grad():
        vectors: Tensor = words(known.to(words.weight.device)).float()
    noise = torch.randn(*shape, vectors.shape[1], generator=torch.Generator().manual_seed(seed))
    start = vectors.mean(0) + vectors.std(0) * noise.to(vectors.device)
    return tuple(nn.Parameter(tokens.clone(), requires_grad=False) for tokens in start)
