"""What references cost: time added to an image, time and memory of fitting."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zerosight.benchmark.memory import peak_memory
from zerosight.benchmark.timing import in_turn, median_ratio, seconds
from zerosight.benchmark.vip2clip.workloads import Workload, pictures
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.models.vip2clip.scorer import TorchScorer
from zerosight.predict.references import How, learn

NORMALS = 16


@dataclass(frozen=True, slots=True)
class ReferencesRow:
    """References on one backbone beside the zero-shot model; seconds are per image.

    Attributes:
        name: Of the workload.
        zero_shot: Seconds without references.
        added: Share of that time that references add, the median over pairs.
        fit_seconds: Of fitting 16 normal images, all told.
        fit_predictions: How many zero-shot predictions that takes as long as.
        many: Number of normal images whose fitting was measured for memory; 0 for none.
        many_seconds: Of fitting these.
        many_mb: Peak memory of it above what the loaded model holds, 10⁶ bytes; None where nobody tells.
    """

    name: str
    zero_shot: float
    added: float
    fit_seconds: float
    fit_predictions: float
    many: int = 0
    many_seconds: float = 0.0
    many_mb: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def benchmark_references(workload: Workload, many: int = 0) -> ReferencesRow:
    """Return what references cost on a workload.

    Args:
        workload: What is measured.
        many: Number of normal images to fit for memory's sake; 0 for none.
    """
    model, card = workload.build()
    preprocess = model.encoder.preprocess
    base = TorchScorer(model)
    normals = list(pictures(NORMALS, preprocess, seed=1))
    learned = learn(model, card, normals, how=How(workload.batch))
    judged = pictures(workload.batch, preprocess)
    scorer = learned.predictor.scorer
    times = in_turn(
        {
            "zero-shot": lambda: base.score(judged),
            "references": lambda: scorer.score(judged),
            "fit": lambda: learn(model, card, normals, how=How(workload.batch)),
        },
        workload.pairs,
    )
    each = [one / len(judged) for one in times["zero-shot"]]
    row = ReferencesRow(
        name=workload.name,
        zero_shot=statistics.median(each),
        added=median_ratio(times["references"], times["zero-shot"]) - 1,
        fit_seconds=statistics.median(times["fit"]),
        fit_predictions=median_ratio(times["fit"], each),
    )
    return _with_many(row, workload, model, card, many) if many else row


def _with_many(
    row: ReferencesRow, workload: Workload, model: Vip2Clip, card: Vip2ClipCard, many: int
) -> ReferencesRow:
    """Return the row with the time and memory of fitting many normal images."""

    def images() -> Iterator[np.ndarray]:
        for seed in range(many):
            yield pictures(1, model.encoder.preprocess, seed)[0]

    with peak_memory() as peak:
        taken = seconds(lambda: learn(model, card, images(), how=How(workload.batch)))
    facts = row.to_json() | {"many": many, "many_seconds": taken, "many_mb": peak.megabytes}
    return ReferencesRow(**facts)
