from .card import BaselineCard
from .config import DetectorConfig
from .detector import Detector, Verdict
from .folder import LoadedBaseline, load_baseline, save_baseline
from .scorer import BaselineScorer, load_scorer

__all__ = [
    "BaselineCard",
    "BaselineScorer",
    "Detector",
    "DetectorConfig",
    "LoadedBaseline",
    "Verdict",
    "load_baseline",
    "load_scorer",
    "save_baseline",
]
