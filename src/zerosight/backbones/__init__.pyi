from .build import build_encoder
from .config import PAPER_BACKBONE, BackboneConfig, parse_backbone
from .dual_encoder import DualEncoder, ImageFeatures, KeysValues, PromptPrefix, PromptTokens
from .lite import LiteEncoder, lite_encoder
from .openclip import OpenClipEncoder
from .openclip_load import load_openclip
from .tiny import tiny_encoder

__all__ = [
    "PAPER_BACKBONE",
    "BackboneConfig",
    "DualEncoder",
    "ImageFeatures",
    "KeysValues",
    "LiteEncoder",
    "OpenClipEncoder",
    "PromptPrefix",
    "PromptTokens",
    "build_encoder",
    "lite_encoder",
    "load_openclip",
    "parse_backbone",
    "tiny_encoder",
]
