"""A short hash of weights and of how they are used."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def fingerprint(module: nn.Module, *settings: object) -> str:
    """Return 16 hex digits that change with any weight or setting.

    Args:
        module: Its state dict is hashed, names and values.
        settings: Anything with a stable ``repr``.
    """
    digest = hashlib.sha256(repr(settings).encode())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
