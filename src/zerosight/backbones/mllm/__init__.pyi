from .adapters import adapt, load_adapter, merge, save_adapter
from .config import AdaptConfig, MllmConfig
from .lite import lite_mllm
from .load import load_mllm
from .model import HiddenStates, Mllm, Provenance
from .tiny import random_mllm

__all__ = [
    "AdaptConfig",
    "HiddenStates",
    "Mllm",
    "MllmConfig",
    "Provenance",
    "adapt",
    "lite_mllm",
    "load_adapter",
    "load_mllm",
    "merge",
    "random_mllm",
    "save_adapter",
]
