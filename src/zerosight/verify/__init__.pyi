from .metrics import verify_metrics
from .preprocess import verify_preprocess
from .radz import verify_radz
from .report import Difference, difference
from .vip2clip import verify_vip2clip

__all__ = [
    "Difference",
    "difference",
    "verify_metrics",
    "verify_preprocess",
    "verify_radz",
    "verify_vip2clip",
]
