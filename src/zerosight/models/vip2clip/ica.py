"""ICA, the Image-Conditioned Adapter: two prompts whose last tokens look at the image.

Symbols of the paper: ``v_1..v_e`` is ``context_normal``, ``w_1..w_e`` is ``context_abnormal``, ``o_1..o_r``
is ``conditioned``, ``h_i`` is ``meta_nets[i]``, ``f`` is the pooled image feature.

    g_n = [SOT] [v_1 … v_e] [good]    [o_1 + h_1(f) … o_r + h_r(f)] [EOT]
    g_a = [SOT] [w_1 … w_e] [damaged] [o_1 + h_1(f) … o_r + h_r(f)] [EOT]

Departures: none.
Source: ViP²-CLIP, section 3.2.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zerosight.backbones.dual_encoder import PromptTokens


class ImageConditionedAdapter(nn.Module):
    """Assembles the token embeddings of a normal and an abnormal prompt for every image.

    Args:
        tokens: The frozen embeddings that frame a prompt.
        words: Frozen embeddings of the normal and of the abnormal state word.
        dim: Width of the pooled image feature.
        n_context: Learnable tokens before the state word (``e``; 7 in the paper).
        n_conditioned: Learnable tokens after it that are conditioned on the image (``r``; 3 in the paper).
        hidden: Width inside a Meta-Net (384 in the paper).
    """

    start: Tensor
    end: Tensor
    padding: Tensor
    word_normal: Tensor
    word_abnormal: Tensor

    def __init__(
        self,
        tokens: PromptTokens,
        words: tuple[Tensor, Tensor],
        dim: int,
        n_context: int = 7,
        n_conditioned: int = 3,
        hidden: int = 384,
    ) -> None:
        super().__init__()
        width = tokens.start.shape[1]
        self.context_normal = nn.Parameter(0.02 * torch.randn(n_context, width))
        self.context_abnormal = nn.Parameter(0.02 * torch.randn(n_context, width))
        self.conditioned = nn.Parameter(0.02 * torch.randn(n_conditioned, width))
        self.bias = nn.Parameter(0.02 * torch.randn(1, dim))
        self.meta_nets = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, width))
            for _ in range(n_conditioned)
        )
        frozen = {
            "start": tokens.start,
            "end": tokens.end,
            "padding": tokens.padding,
            "word_normal": words[0],
            "word_abnormal": words[1],
        }
        for name, value in frozen.items():
            self.register_buffer(name, value.clone())

    @property
    def end_position(self) -> int:
        """Index of the closing token: 12 for e = 7, r = 3 and a state word of one token."""
        parts = (self.start, self.context_normal, self.word_normal, self.conditioned)
        return sum(len(part) for part in parts) + len(self.end) - 1

    def forward(
        self, pooled: Float[Tensor, "batch dim"], length: int | None = None
    ) -> Float[Tensor, "batch 2 token width"]:
        """Return both prompts' token embeddings, normal first.

        Args:
            pooled: Image features ``f``, L2-normalised.
            length: Pad to this many tokens (the plain formulation); None stops after the closing token.
        """
        count = pooled.shape[0]
        endings = self.endings(pooled)[:, None].expand(-1, 2, -1, -1)
        prompts = torch.cat([self.beginnings().expand(count, -1, -1, -1), endings], dim=2)
        if length is None:
            return prompts
        missing = length - prompts.shape[2]
        return torch.cat([prompts, self.padding.expand(*prompts.shape[:2], missing, -1)], dim=2)

    def beginnings(self) -> Float[Tensor, "2 token width"]:
        """Return what does not depend on the image: [SOT], the context and the state word of both prompts."""
        normal = torch.cat([self.start, self.context_normal, self.word_normal])
        abnormal = torch.cat([self.start, self.context_abnormal, self.word_abnormal])
        return torch.stack([normal, abnormal])

    def endings(self, pooled: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch token width"]:
        """Return what does, the same for both prompts: the conditioned tokens and [EOT]."""
        shifted = pooled + self.bias
        conditioned = torch.stack([net(shifted) for net in self.meta_nets], dim=1) + self.conditioned
        return torch.cat([conditioned, self.end.expand(pooled.shape[0], -1, -1)], dim=1)
