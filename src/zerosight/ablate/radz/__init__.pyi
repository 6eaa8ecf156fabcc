from .anchors import AnchorSettings
from .config import RadzStudy, RadzVariant, shipped_study
from .material import RadzSets, read_sets
from .measure import measure
from .run import Request, run

__all__ = [
    "AnchorSettings",
    "RadzSets",
    "RadzStudy",
    "RadzVariant",
    "Request",
    "measure",
    "read_sets",
    "run",
    "shipped_study",
]
