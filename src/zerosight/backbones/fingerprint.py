"""A short hash of weights and of how they are used."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from zerosight.preprocess import Preprocess


def fingerprint(module: nn.Module, *settings: object) -> str:
    """Return 16 hex digits that change with any weight or setting.

    Args:
        module: Its state dict is hashed, names and values.
        settings: As for :func:`settings_text`.
    """
    digest = hashlib.sha256(settings_text(*settings).encode())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def settings_text(*settings: object) -> str:
    """Return settings as Python writes a tuple of them, the pixels' constants by their key.

    Args:
        settings: A :class:`Preprocess`, or anything else with a stable ``repr``.

    >>> settings_text("lite", 3)
    "('lite', 3)"
    >>> settings_text(3)
    '(3,)'
    """
    parts = [one.key if isinstance(one, Preprocess) else repr(one) for one in settings]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
