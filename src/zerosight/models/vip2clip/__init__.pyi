from .card import Vip2ClipCard
from .config import Vip2ClipConfig
from .folder import LoadedModel, load_model, save_model
from .model import Alignment, Vip2Clip
from .published import import_published, to_published
from .scorer import PixelsToMap, TorchScorer, load_scorer, tiny_scorer

__all__ = [
    "Alignment",
    "LoadedModel",
    "PixelsToMap",
    "TorchScorer",
    "Vip2Clip",
    "Vip2ClipCard",
    "Vip2ClipConfig",
    "import_published",
    "load_model",
    "load_scorer",
    "save_model",
    "tiny_scorer",
    "to_published",
]
