"""Evaluation of findings: a model's scores against labels, with tables and a page to look at."""

from zerosight.finding_evaluation.config import FindingEvaluationConfig
from zerosight.finding_evaluation.facts import EvaluationFacts, SplitFacts, split_facts
from zerosight.finding_evaluation.output import write_findings
from zerosight.finding_evaluation.result import FindingEvaluation, FindingResult
from zerosight.finding_evaluation.run import FindingSettings, evaluate_findings

__all__ = [
    "EvaluationFacts",
    "FindingEvaluation",
    "FindingEvaluationConfig",
    "FindingResult",
    "FindingSettings",
    "SplitFacts",
    "evaluate_findings",
    "split_facts",
    "write_findings",
]
