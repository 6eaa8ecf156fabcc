"""CLIP's transformer blocks, computed lean: open_clip's function and weights, fewer passes over memory.

Queries, keys and values come from one product and go through fused attention. On a processor, products in
fp32 with frozen weights are oneDNN's, on some processors two to four times as fast as the BLAS library behind
``torch.nn.functional.linear``. Weights may be bf16; the residual stream and the norms stay fp32. Keys and
values of a causal prefix can be given, so that only what follows it is computed.
"""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from zerosight.backbones.dual_encoder import KeysValues

SCORES_BYTES = 8 * 2**20


def run_block(
    block: ResidualAttentionBlock,
    tokens: Float[Tensor, "sequence token width"],
    mask: Float[Tensor, "token seen"] | None = None,
    past: KeysValues | None = None,
) -> tuple[Float[Tensor, "sequence token width"], KeysValues]:
    """Return a block's output and its keys and values.

    Args:
        block: One for which :func:`is_lean` holds.
        tokens: The residual stream, fp32.
        mask: Added to the attention logits; None lets every token see all.
        past: Keys and values of a prefix that all sequences share, which ``tokens`` see as well. Sequences
            alternate between its own: the i-th follows prefix i mod n.
    """
    normed = block.ln_1(tokens)
    joint = linear(normed, block.attn.in_proj_weight, block.attn.in_proj_bias)
    query, keys, values = rearrange(
        joint, "b token (part head channel) -> part b head token channel", part=3, head=block.attn.num_heads
    )
    own = KeysValues(keys, values)
    seen = past.followed_by(own) if past else own
    attended = attention(query, seen, mask)
    attended = rearrange(attended, "b head token channel -> b token (head channel)")
    out = block.attn.out_proj
    tokens = tokens + block.ls_1(linear(attended, out.weight, out.bias))
    hidden = linear(block.ln_2(tokens), block.mlp.c_fc.weight, block.mlp.c_fc.bias)
    hidden = block.mlp.gelu(hidden)
    return tokens + block.ls_2(linear(hidden, block.mlp.c_proj.weight, block.mlp.c_proj.bias)), own


def is_lean(block: nn.Module) -> bool:
    """Return whether :func:`run_block` computes this block; open_clip's unusual ones run as they are."""
    return isinstance(block, ResidualAttentionBlock) and block.attn.in_proj_weight is not None


def attention(
    query: Float[Tensor, "sequence head token channel"],
    seen: KeysValues,
    mask: Float[Tensor, "token seen"] | None = None,
) -> Float[Tensor, "sequence head token channel"]:
    """Return softmax(q·kᵀ/√d + mask)·v.

    torch's fused attention multiplies in fp32 on a processor whatever it is given. In bf16 it is therefore
    done here, a few heads at a time, so that their attention stays in the processor's cache.
    """
    if mask is not None or not _by_parts(query):
        return F.scaled_dot_product_attention(query, seen.keys, seen.values, attn_mask=mask)
    scale, tokens = query.shape[-1] ** -0.5, query.shape[-2]
    parts = max(1, SCORES_BYTES // (2 * tokens * seen.keys.shape[-2]))
    attended = [
        torch.bmm(torch.bmm(q * scale, k.transpose(1, 2)).softmax(-1), v)
        for q, k, v in zip(
            *(x.flatten(0, 1).split(parts) for x in (query, seen.keys, seen.values)), strict=True
        )
    ]
    return torch.cat(attended).unflatten(0, query.shape[:2])


def linear(
    inputs: Float[Tensor, "*any inner"], weight: Float[Tensor, "outer inner"], bias: Tensor | None
) -> Float[Tensor, "*any outer"]:
    """Return inputs · weightᵀ + bias in the weight's precision, by the fastest product at hand."""
    if not _by_onednn(inputs, weight):
        return F.linear(inputs.to(weight.dtype), weight, bias)
    if torch.is_grad_enabled() and inputs.requires_grad:
        return _FrozenLinear.apply(inputs, weight, bias)
    return _product(inputs, weight, bias)


def halve(block: ResidualAttentionBlock) -> None:
    """Give a block bf16 copies of its matrices; its products are then computed in bf16."""
    for part in (block.attn, block.attn.out_proj, block.mlp.c_fc, block.mlp.c_proj):
        for name, parameter in part.named_parameters(recurse=False):
            setattr(part, name, nn.Parameter(parameter.to(torch.bfloat16), requires_grad=False))


class _FrozenLinear(torch.autograd.Function):
    """A product with frozen weights: gradients go to its input alone."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return _product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return _product(gradient, weight.T, None), None, None


def _product(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(inputs.contiguous(), weight, bias, "none", [], "")


def _by_onednn(inputs: Tensor, weight: Tensor) -> bool:
    frozen_fp32 = inputs.dtype == weight.dtype == torch.float32 and not weight.requires_grad
    return _is_plain(inputs) and frozen_fp32 and torch.backends.mkldnn.is_available()


def _by_parts(query: Tensor) -> bool:
    return query.dtype == torch.bfloat16 and _is_plain(query) and not torch.is_grad_enabled()


def _is_plain(tensor: Tensor) -> bool:
    """Return whether this is computed on the processor as it is written: not traced, not cast on the way."""
    changed = torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
    return tensor.device.type == "cpu" and not changed
