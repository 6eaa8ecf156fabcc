"""zerosight: zero-shot visual recognition that people can really use.

>>> import zerosight
>>> predictor = zerosight.load("vip2clip-lite")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from zerosight.predict import Predictor

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(model: str | Path = "vip2clip-lite", device: str = "cpu", batch_size: int = 8) -> Predictor:
    """Return a model ready to predict.

    Args:
        model: A shipped model's name or a model folder.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        batch_size: Images per pass.

    Raises:
        ZerosightError: The model or its weights are not to be had; the message says what to do.
    """
    from zerosight.models.folder import load_model
    from zerosight.models.scorer import TorchScorer
    from zerosight.predict import Predictor

    network, card = load_model(model)
    return Predictor(TorchScorer(network, device), card, batch_size)
