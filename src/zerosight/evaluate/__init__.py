"""Evaluation: a model's metrics on data sets, resumable, with tables and a page to look at."""

from zerosight.evaluate.config import EvaluationConfig
from zerosight.evaluate.result import CategoryResult, DatasetResult, Evaluation, Mean
from zerosight.evaluate.run import evaluate, model_facts
from zerosight.journal import Store

__all__ = [
    "CategoryResult",
    "DatasetResult",
    "Evaluation",
    "EvaluationConfig",
    "Mean",
    "Store",
    "evaluate",
    "model_facts",
]
