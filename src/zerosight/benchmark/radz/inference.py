"""From pixels to scores: images per second and memory, beside the model as transformers runs it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import numpy as np
import torch

from zerosight.benchmark.memory import cost
from zerosight.benchmark.radz.plain import network_of, plain_scores, random_pixels
from zerosight.benchmark.radz.workloads import Workload
from zerosight.benchmark.timing import in_turn, median_ratio
from zerosight.predict.findings import FindingPredictor, Question


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """Medians at one batch size; seconds are per image, memory is above what the loaded model holds.

    Attributes:
        batch: Images per pass.
        plain_seconds: The whole model, all hidden states and logits kept until the read one is picked.
        product_seconds: What ``predict`` runs, from pixels to scores.
        speedup: Median of the rounds' ratios.
        tower_share: Of the product's time, what the vision tower takes.
        plain_tensors_mb: Highest sum of living tensors, plain.
        product_tensors_mb: The same of the product.
        plain_resident_mb: Highest resident memory, plain.
        product_resident_mb: The same of the product.
        max_difference: Largest difference of the scores of both ways.
    """

    batch: int
    plain_seconds: float
    product_seconds: float
    speedup: float
    tower_share: float
    plain_tensors_mb: float
    product_tensors_mb: float
    plain_resident_mb: float | None
    product_resident_mb: float | None
    max_difference: float


def measure_speed(predictor: FindingPredictor, question: Question, workload: Workload) -> list[SpeedRow]:
    """Return a row per batch size of the workload."""
    return [_row(predictor, question, batch, workload.rounds) for batch in workload.batches]


@torch.inference_mode()
def _row(predictor: FindingPredictor, question: Question, batch: int, rounds: int) -> SpeedRow:
    mllm = network_of(predictor).mllm
    pixels = random_pixels(mllm, batch)
    images = torch.from_numpy(pixels)
    plain = cost(lambda: plain_scores(predictor, pixels, question))
    product = cost(lambda: predictor.score(pixels, question))
    times = in_turn(
        {
            "plain": lambda: plain_scores(predictor, pixels, question),
            "product": lambda: predictor.score(pixels, question),
            "tower": lambda: mllm.see(images),
        },
        rounds,
    )
    ours, _ = predictor.score(pixels, question)
    return SpeedRow(
        batch=batch,
        plain_seconds=statistics.median(times["plain"]) / batch,
        product_seconds=statistics.median(times["product"]) / batch,
        speedup=median_ratio(times["plain"], times["product"]),
        tower_share=median_ratio(times["tower"], times["product"]),
        plain_tensors_mb=plain.tensors_mb,
        product_tensors_mb=product.tensors_mb,
        plain_resident_mb=plain.resident_mb,
        product_resident_mb=product.resident_mb,
        max_difference=float(np.abs(ours - plain_scores(predictor, pixels, question)).max()),
    )
