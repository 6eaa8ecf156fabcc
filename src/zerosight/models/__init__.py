"""The models: one folder per paper, and one record of each in the catalog."""

from zerosight.models.card import AnomalyCard, Card, Thresholds, render
from zerosight.models.catalog import (
    ANOMALIES,
    FINDINGS,
    Architecture,
    Task,
    architecture_of,
    architectures,
    card_of,
    copy_model,
    find_model,
    open_model,
    shipped_models,
    task_of,
)

__all__ = [
    "ANOMALIES",
    "FINDINGS",
    "AnomalyCard",
    "Architecture",
    "Card",
    "Task",
    "Thresholds",
    "architecture_of",
    "architectures",
    "card_of",
    "copy_model",
    "find_model",
    "open_model",
    "render",
    "shipped_models",
    "task_of",
]
