"""How fast the processor multiplies: the limit that every way of computing is held to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

Numbers = Literal["fp32", "bf16", "int8"]
_SIDE = 2048  # large enough that nothing but multiplying counts, small enough for the caches' upper levels
GFLOP = 2 * _SIDE**3 / 1e9
"""10⁹ operations of one :func:`product`; a multiplication and an addition are two."""


def product(numbers: Numbers) -> Callable[[], object]:
    """Return the work of one large product of matrices, by the fastest that PyTorch has for such numbers.

    >>> product("fp32")().shape
    torch.Size([2048, 2048])
    """
    with torch.random.fork_rng(devices=[]):
        left, right = torch.rand(2, _SIDE, _SIDE).unbind()
    if numbers == "int8":
        left, right = (100 * left).to(torch.int8), (100 * right).to(torch.int8)
        return lambda: torch._int_mm(left, right)
    if numbers == "bf16":
        left, right = left.bfloat16(), right.bfloat16()
    elif torch.backends.mkldnn.is_available():  # on some processors twice as fast as what `@` calls
        return lambda: torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")
    return lambda: left @ right
