from .config import RadzTrainConfig
from .features import FeatureSource
from .gather import average_gradients, gather_with_grad
from .gradient_cache import cached_backward
from .material import Material, read_material
from .module import RadzTraining, StepSettings
from .run import train_radz
from .samples import Pair, PairBatch, Study, StudyData, read_studies
from .validation import Validation

__all__ = [
    "FeatureSource",
    "Material",
    "Pair",
    "PairBatch",
    "RadzTrainConfig",
    "RadzTraining",
    "StepSettings",
    "Study",
    "StudyData",
    "Validation",
    "average_gradients",
    "cached_backward",
    "gather_with_grad",
    "read_material",
    "read_studies",
    "train_radz",
]
