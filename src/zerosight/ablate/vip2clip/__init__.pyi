from .config import Vip2Study, Vip2Variant, shipped_study
from .fit import fit
from .material import AuxiliarySet, Sets, TestSet, read_sets
from .measure import Judged, measure
from .run import Request, run

__all__ = [
    "AuxiliarySet",
    "Judged",
    "Request",
    "Sets",
    "TestSet",
    "Vip2Study",
    "Vip2Variant",
    "fit",
    "measure",
    "read_sets",
    "run",
    "shipped_study",
]
