"""zerosight: zero-shot visual recognition that people can really use.

>>> import zerosight
>>> predictor = zerosight.load("vip2clip-lite")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from zerosight.predict import Predictor
    from zerosight.recognise import FindingPredictor
    from zerosight.types import Arithmetic

__version__ = "0.1.0"
__all__ = ["__version__", "load", "load_findings"]


def load(
    model: str | Path = "vip2clip-lite",
    device: str = "cpu",
    batch_size: int = 8,
    precision: Arithmetic = "exact",
    compile: bool = False,
) -> Predictor:
    """Return a model ready to find anomalies.

    Args:
        model: A shipped model's name, a model folder, or an exported graph (``.onnx``, ``.xml``), which needs
            no PyTorch.
        device: ``cpu``, ``cuda`` or ``cuda:1``; for ``.xml``, a device of OpenVINO.
        batch_size: Images per pass.
        precision: ``exact`` is fp32; ``fast`` computes in bf16 where that is faster.
        compile: Translate the model with ``torch.compile`` first; graphs are compiled as they are loaded.

    Raises:
        ZerosightError: The model or its weights are not to be had; the message says what to do.
    """
    from zerosight.predict import Predictor
    from zerosight.runtimes.load import is_exported, load_graph

    if is_exported(model):
        graph = load_graph(model, device, precision=precision)
        return Predictor(graph, graph.facts.card, batch_size)
    from zerosight.models.folder import load_model
    from zerosight.models.scorer import TorchScorer

    network, card = load_model(model)
    return Predictor(TorchScorer(network, device, precision, compile), card, batch_size)


def load_findings(
    model: str | Path = "radz-tiny", device: str = "cpu", batch_size: int = 8
) -> FindingPredictor:
    """Return a model ready to recognise findings in chest X-rays, for research only.

    Args:
        model: A shipped model's name or a model folder.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        batch_size: Images per pass.

    Raises:
        ZerosightError: The model or its weights are not to be had; the message says what to do.
    """
    from zerosight.models.llava_radz.anchor_cache import AnchorCache, user_folder
    from zerosight.models.llava_radz.folder import load_radz
    from zerosight.recognise import FindingPredictor

    return FindingPredictor(load_radz(model, device), batch_size, AnchorCache(user_folder()))
