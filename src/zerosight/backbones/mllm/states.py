"""What a decoder says about a batch of images or texts."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class States:
    """Decoder states of one modality at the read layer, before any final norm.

    Attributes:
        cls: States of the special tokens that close the sequence (``<ImgCls>`` or ``<TxtCls>``).
        tokens: States of the modality's own tokens; rows of padding are zero.
        mask: Which of ``tokens`` are real.
    """

    cls: Float[Tensor, "batch k width"]
    tokens: Float[Tensor, "batch n width"]
    mask: Bool[Tensor, "batch n"]
