"""Evaluation: a model's metrics on data sets, resumable, with tables and a page to look at."""

from zerosight.evaluate.anomalies.config import EvaluationConfig
from zerosight.evaluate.anomalies.result import CategoryResult, DatasetResult, Evaluation, Mean
from zerosight.evaluate.anomalies.run import evaluate, model_facts
from zerosight.journal import ResumePolicy

__all__ = [
    "CategoryResult",
    "DatasetResult",
    "Evaluation",
    "EvaluationConfig",
    "Mean",
    "ResumePolicy",
    "evaluate",
    "model_facts",
]
