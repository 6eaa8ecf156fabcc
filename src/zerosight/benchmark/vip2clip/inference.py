"""Inference in several ways beside the plain published formulation, as ratios of times taken in pairs."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zerosight.backbones.flops import count_flops
from zerosight.backbones.normalise import normalise
from zerosight.benchmark.memory import peak_memory
from zerosight.benchmark.peak import GFLOP, product
from zerosight.benchmark.timing import in_turn, median_ratio
from zerosight.benchmark.vip2clip.plain import plain_prediction
from zerosight.benchmark.vip2clip.ways import WAYS, make_scorer
from zerosight.benchmark.vip2clip.workloads import Workload, pictures
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.models.vip2clip.scorer import PixelsToMap, TorchScorer
from zerosight.predict.anomalies import Scorer


@dataclass(frozen=True, slots=True)
class WayRow:
    """One way of computing beside the plain formulation; seconds are per image.

    Attributes:
        speedup: Median of the ratios of times taken in pairs.
        score_difference: Largest from the plain formulation's score, over the images of a batch.
        map_difference: Likewise of maps.
        peak_mb: Peak memory of a pass, above what the loaded model holds.
        numbers: What it multiplies: ``fp32``, ``bf16`` or ``int8``.
        gflops: 10⁹ such operations per second in one large product of matrices, timed in the same turns.
        near: Operations per second over that; 1 is the limit.
        plain_near: Likewise of the plain formulation, in fp32.
    """

    way: str
    batch: int
    seconds: float
    speedup: float
    score_difference: float
    map_difference: float
    peak_mb: float | None
    numbers: str
    gflops: float
    near: float
    plain_near: float


@dataclass(frozen=True, slots=True)
class InferenceTable:
    """Inference of one workload.

    Attributes:
        plain_seconds: Per image.
        plain_mb: Peak memory of the plain formulation, above what the loaded model holds.
        tower_seconds: The exact image tower alone, per image.
        plain_tower_seconds: The plain image tower alone.
        outside: Everything but the tower, exact, over the plain tower's time; per image.
        gflop: 10⁹ operations of an image, counted in ``exact``.
        plain_gflop: Likewise in the plain formulation.
    """

    name: str
    size: int
    plain_seconds: float
    plain_mb: float | None
    tower_seconds: float
    plain_tower_seconds: float
    outside: float
    gflop: float
    plain_gflop: float
    ways: tuple[WayRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain JSON values."""
        return asdict(self)


def benchmark_inference(
    workload: Workload, ways: tuple[str, ...], graphs: Path, tell: Callable[[str], None]
) -> InferenceTable:
    """Return the table of a workload.

    Args:
        workload: What is measured.
        ways: Names of ``WAYS``; each is loaded, measured in turn with the plain formulation, and let go.
        graphs: Where exported graphs are kept.
        tell: Is told what is measured next.
    """
    model, _ = workload.build()
    pixels = pictures(workload.batch, model.encoder.preprocess)
    expected = [plain_prediction(model, picture[None]) for picture in pixels]
    with peak_memory() as peak:
        plain_prediction(model, pixels[:1])
    tower, plain_tower, outside = _parts(workload, model, pixels)
    gflop = count_flops(lambda: TorchScorer(model).score(pixels)) / 1e9 / len(pixels)
    plain_gflop = count_flops(lambda: plain_prediction(model, pixels[:1])) / 1e9
    rows, plain = [], []
    for way in ways:
        tell(f"{workload.name}: {way}")
        scorer = make_scorer(way, workload, model, graphs)
        row, times = _measure(
            workload,
            way,
            scorer,
            lambda: plain_prediction(model, pixels[:1]),
            expected,
            pixels,
            (gflop, plain_gflop),
        )
        rows.append(row)
        plain += times
        del scorer
        gc.collect()
    return InferenceTable(
        name=workload.name,
        size=model.encoder.preprocess.size,
        plain_seconds=statistics.median(plain),
        plain_mb=peak.megabytes,
        tower_seconds=tower,
        plain_tower_seconds=plain_tower,
        outside=outside,
        gflop=gflop,
        plain_gflop=plain_gflop,
        ways=tuple(rows),
    )


def _measure(
    workload: Workload,
    way: str,
    scorer: Scorer,
    plain: Callable[[], object],
    expected: list[tuple[float, np.ndarray]],
    pixels: np.ndarray,
    gflop: tuple[float, float],
) -> tuple[WayRow, list[float]]:
    scores, maps = scorer.score(pixels)
    with peak_memory() as peak:
        scorer.score(pixels)
    numbers = WAYS[way].numbers
    work = {"plain": plain, "way": lambda: scorer.score(pixels)}
    products = {"fp32": product("fp32"), numbers: product(numbers)}
    times = in_turn(work | products, workload.pairs)
    each = [seconds / len(pixels) for seconds in times["way"]]
    row = WayRow(
        way=way,
        batch=len(pixels),
        seconds=statistics.median(each),
        speedup=median_ratio(times["plain"], each),
        score_difference=max(abs(float(s) - e[0]) for s, e in zip(scores, expected, strict=True)),
        map_difference=max(float(np.abs(m - e[1]).max()) for m, e in zip(maps, expected, strict=True)),
        peak_mb=peak.megabytes,
        numbers=numbers,
        gflops=GFLOP / statistics.median(times[numbers]),
        near=median_ratio(times[numbers], each) * gflop[0] / GFLOP,
        plain_near=median_ratio(times["fp32"], times["plain"]) * gflop[1] / GFLOP,
    )
    return row, times["plain"]


@torch.inference_mode()
def _parts(workload: Workload, model: Vip2Clip, pixels: np.ndarray) -> tuple[float, float, float]:
    """Return seconds per image of the exact and of the plain tower, and the share of what is outside."""
    network = PixelsToMap(model)
    encoder, preprocess = model.encoder, model.encoder.preprocess
    images = normalise(torch.from_numpy(pixels), preprocess)
    features = encoder.encode_image(images)

    def outside() -> None:
        normalise(torch.from_numpy(pixels), preprocess)
        model.anomaly_maps(model(features, network.prefix), preprocess.size)

    times = in_turn(
        {
            "tower": lambda: encoder.encode_image(images),
            "plain": lambda: encoder.plain().encode_image(images[:1]),
            "outside": outside,
        },
        workload.pairs,
    )
    count = len(pixels)
    share = median_ratio(times["outside"], [seconds * count for seconds in times["plain"]])
    return statistics.median(times["tower"]) / count, statistics.median(times["plain"]), share
