"""Evaluation of findings: a model's scores against labels, with tables and a page to look at."""

from zerosight.finding_evaluation.calibrate import calibrate_model
from zerosight.finding_evaluation.config import FindingEvaluationConfig, ModelEvaluationConfig, RowsConfig
from zerosight.finding_evaluation.facts import EvaluationFacts, SplitFacts, split_facts
from zerosight.finding_evaluation.output import write_findings
from zerosight.finding_evaluation.result import Beside, FindingEvaluation, FindingResult
from zerosight.finding_evaluation.run import FindingSettings, evaluate_findings
from zerosight.finding_evaluation.run_model import evaluate_model

__all__ = [
    "Beside",
    "EvaluationFacts",
    "FindingEvaluation",
    "FindingEvaluationConfig",
    "FindingResult",
    "FindingSettings",
    "ModelEvaluationConfig",
    "RowsConfig",
    "SplitFacts",
    "calibrate_model",
    "evaluate_findings",
    "evaluate_model",
    "split_facts",
    "write_findings",
]
