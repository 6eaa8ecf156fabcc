"""Floating-point operations of a piece of work, counted by PyTorch while it runs.

A multiplication and an addition are two operations. Counted are products of matrices, convolutions and
attention, as PyTorch's counter does; norms, softmax and the like, a few in a thousand, are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

Shape = Sequence[int]


def count_flops(work: Callable[[], object]) -> int:
    """Return the operations of one run; what oneDNN multiplies on a processor is counted as well.

    >>> count_flops(lambda: torch.ones(2, 3) @ torch.ones(3, 4))
    48
    """
    ours = {
        torch.ops.mkldnn._linear_pointwise: _linear,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        torch.ops.aten._native_multi_head_attention: _layer,
    }
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=ours) as counter:
        work()
    return int(counter.get_total_flops())


def _linear(inputs: Shape, weight: Shape, *_: Any, **__: Any) -> int:
    return 2 * prod(inputs) * weight[0]


def _attention(query: Shape, keys: Shape, values: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, keys, values))


def _layer(query: Shape, keys: Shape, *_: Any, **__: Any) -> int:
    """Return the operations of a whole ``nn.MultiheadAttention`` that PyTorch runs at once."""
    batch, length, width = query
    return 2 * batch * length * (4 * width**2 + 2 * keys[1] * width)
