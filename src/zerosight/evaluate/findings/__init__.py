"""Evaluation of findings: a model's scores against labels, with tables and a page to look at."""

from zerosight.evaluate.findings.calibrate import calibrate_model, measure_maps
from zerosight.evaluate.findings.config import FindingEvaluationConfig, ModelEvaluationConfig, RowsConfig
from zerosight.evaluate.findings.output import write_findings
from zerosight.evaluate.findings.provenance import Provenance, SplitImages, split_images
from zerosight.evaluate.findings.result import Baseline, FindingEvaluation, FindingResult
from zerosight.evaluate.findings.run import evaluate_model
from zerosight.evaluate.findings.summary import FindingSettings, evaluate_findings

__all__ = [
    "Baseline",
    "FindingEvaluation",
    "FindingEvaluationConfig",
    "FindingResult",
    "FindingSettings",
    "ModelEvaluationConfig",
    "Provenance",
    "RowsConfig",
    "SplitImages",
    "calibrate_model",
    "evaluate_findings",
    "evaluate_model",
    "measure_maps",
    "split_images",
    "write_findings",
]
