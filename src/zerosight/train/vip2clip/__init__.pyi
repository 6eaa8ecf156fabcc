from .config import TrainConfig
from .features import FeatureCache, FeatureSource
from .module import Vip2ClipTraining
from .run import train
from .samples import AuxiliaryData, Batch, Item, Sample, read_samples
from .validation import choose_thresholds

__all__ = [
    "AuxiliaryData",
    "Batch",
    "FeatureCache",
    "FeatureSource",
    "Item",
    "Sample",
    "TrainConfig",
    "Vip2ClipTraining",
    "choose_thresholds",
    "read_samples",
    "train",
]
