from .anomalies import Predictor, Scorer, load
from .findings import DEFAULT_LABELS, FindingPredictor, Question, load_findings
from .reading import ImageLike, Read, Scored, failure, read_batches, score_readable
from .regions import find_regions
from .tiling import Tiling, score_tiled

__all__ = [
    "DEFAULT_LABELS",
    "FindingPredictor",
    "ImageLike",
    "Predictor",
    "Question",
    "Read",
    "Scored",
    "Scorer",
    "Tiling",
    "failure",
    "find_regions",
    "load",
    "load_findings",
    "read_batches",
    "score_readable",
    "score_tiled",
]
