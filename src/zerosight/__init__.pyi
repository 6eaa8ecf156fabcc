from .errors import ZerosightError
from .evaluate.door import calibrate, calibrate_findings, evaluate, evaluate_findings
from .predict.anomalies import Predictor, load
from .predict.findings import FindingPredictor, load_findings
from .report.frame import to_frame
from .train.door import Trained, train, train_findings
from .types import Failure, FindingPrediction, FindingScore, Prediction, Region

__version__: str
__all__ = [
    "Failure",
    "FindingPrediction",
    "FindingPredictor",
    "FindingScore",
    "Prediction",
    "Predictor",
    "Region",
    "Trained",
    "ZerosightError",
    "calibrate",
    "calibrate_findings",
    "evaluate",
    "evaluate_findings",
    "load",
    "load_findings",
    "to_frame",
    "train",
    "train_findings",
]
