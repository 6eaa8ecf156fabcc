from .anchor_cache import AnchorCache
from .anchors import Anchors, AnchorTexts, anchor_texts, build_anchors
from .calibration import CalibrationConfig, FindingCalibration, FindingScale, fit_calibration
from .card import RadzCard
from .config import LossWeights, RadzConfig
from .descriptions import Description, DescriptionError, find_descriptions, load_descriptions
from .folder import LoadedModel, load_model, save_model
from .generated_descriptions import GeneratedDescription, describe_missing, generate_description
from .losses import PairFeatures, RadzLosses, radz_losses
from .maps import attention_grid, contrast_grids, similarity_grids
from .model import Embedding, LlavaRadz
from .scoring import class_vectors, finding_scores
from .vqa import yes_log_odds

__all__ = [
    "AnchorCache",
    "AnchorTexts",
    "Anchors",
    "CalibrationConfig",
    "Description",
    "DescriptionError",
    "Embedding",
    "FindingCalibration",
    "FindingScale",
    "GeneratedDescription",
    "LlavaRadz",
    "LoadedModel",
    "LossWeights",
    "PairFeatures",
    "RadzCard",
    "RadzConfig",
    "RadzLosses",
    "anchor_texts",
    "attention_grid",
    "build_anchors",
    "class_vectors",
    "contrast_grids",
    "describe_missing",
    "find_descriptions",
    "finding_scores",
    "fit_calibration",
    "generate_description",
    "load_descriptions",
    "load_model",
    "radz_losses",
    "save_model",
    "similarity_grids",
    "yes_log_odds",
]
