"""Which token of a sequence sees which: those before it, and inside an image, where asked for, all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def sight_mask(
    embedded: Float[Tensor, "batch length width"], images: Sequence[slice] = ()
) -> Float[Tensor, "batch 1 length length"]:
    """Return what is added to attention logits so that no token sees a later one, but for those of images.

    Args:
        embedded: Sequences, of which shape, precision and device count.
        images: Per sequence, its image tokens, which see each other in both directions; empty for none.
    """
    batch, length, _ = embedded.shape
    hidden = torch.ones(length, length, dtype=torch.bool, device=embedded.device).triu(1)
    hidden = hidden.repeat(batch if images else 1, 1, 1)
    for own, image in zip(hidden, images, strict=False):
        own[image, image] = False
    mask = torch.zeros_like(hidden, dtype=embedded.dtype)
    mask.masked_fill_(hidden, torch.finfo(embedded.dtype).min)
    return mask[:, None].expand(batch, 1, length, length)
