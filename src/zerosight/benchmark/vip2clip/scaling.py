"""Cost against batch size, image size and number of images: linear where it should be."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zerosight.benchmark.memory import peak_memory
from zerosight.benchmark.timing import in_turn
from zerosight.benchmark.vip2clip.files import photographs
from zerosight.benchmark.vip2clip.workloads import Workload, pictures
from zerosight.models.vip2clip.scorer import TorchScorer
from zerosight.predict.anomalies import Predictor

BATCHES = (1, 2, 4, 8, 16)
COUNTS = (25, 50, 100, 200)
SIZES = {"lite": (160, 320, 480, 640), "ViT-B/16": (112, 224, 336, 448), "tiny": (32, 48, 64)}


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one setting costs.

    Attributes:
        against: ``batch size``, ``image size`` or ``images``.
        value: The setting.
        milliseconds: Per image.
        peak_mb: Peak memory above what the loaded model holds.
    """

    name: str
    against: str
    value: int
    milliseconds: float
    peak_mb: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def benchmark_scaling(workload: Workload) -> list[CostRow]:
    """Return the costs of a workload, exact, in PyTorch."""
    model, card = workload.build()
    rows = [_pass(workload, "batch size", count, TorchScorer(model), count) for count in BATCHES]
    for size in SIZES.get(workload.name, ()):
        backbone = workload.backbone.model_copy(update={"image_size": size})
        other = dataclasses.replace(workload, backbone=backbone, model=None).build()[0]
        rows.append(_pass(workload, "image size", size, TorchScorer(other), 4))
    predictor = Predictor(TorchScorer(model), card)
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(Path(folder), max(COUNTS), (640, 480))
        list(predictor.predict(paths[:8]))
        for count in COUNTS:
            with peak_memory() as peak:
                start = time.perf_counter()
                for _ in predictor.predict(paths[:count]):
                    pass
                seconds = time.perf_counter() - start
            rows.append(CostRow(workload.name, "images", count, 1e3 * seconds / count, peak.megabytes))
    return rows


def _pass(workload: Workload, against: str, value: int, scorer: TorchScorer, count: int) -> CostRow:
    pixels = pictures(count, scorer.preprocess)
    scorer.score(pixels)
    with peak_memory() as peak:
        scorer.score(pixels)
    seconds = statistics.median(in_turn({"pass": lambda: scorer.score(pixels)}, workload.pairs)["pass"])
    return CostRow(workload.name, against, value, 1e3 * seconds / count, peak.megabytes)
