from .block import Block
from .card import ReferencesCard
from .conformal import Promise, image_promise, pixel_promise
from .fit import Fitted, Normals, add_block, build
from .folder import LoadedReferences, load_references, save_references
from .model import References
from .scorer import ReferenceScorer, load_scorer, see_block

__all__ = [
    "Block",
    "Fitted",
    "LoadedReferences",
    "Normals",
    "Promise",
    "ReferenceScorer",
    "References",
    "ReferencesCard",
    "add_block",
    "build",
    "image_promise",
    "load_references",
    "load_scorer",
    "pixel_promise",
    "save_references",
    "see_block",
]
