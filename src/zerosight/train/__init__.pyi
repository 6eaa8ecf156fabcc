from .array_cache import ArrayCache
from .config import CacheConfig, RunConfig
from .door import Trained
from .run_folder import last_checkpoint
from .sampling import EpochSampler

__all__ = [
    "ArrayCache",
    "CacheConfig",
    "EpochSampler",
    "RunConfig",
    "Trained",
    "last_checkpoint",
]
