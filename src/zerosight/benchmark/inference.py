"""The product's inference beside the plain published formulation, in one run, as ratios of paired times."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from zerosight.backbones.build import build_encoder
from zerosight.backbones.config import BackboneConfig
from zerosight.backbones.normalise import normalise
from zerosight.benchmark.memory import peak_memory
from zerosight.models.card import ModelCard
from zerosight.models.scorer import TorchScorer
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.predict import Predictor


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured.

    Attributes:
        name: Of the row.
        backbone: Its weights may be random: speed does not depend on them.
        batch: Images per pass of the product's path; the plain one takes one at a time.
        pairs: Repetitions of plain and product, in turn.
    """

    name: str
    backbone: BackboneConfig
    batch: int
    pairs: int = 3


CASES = {
    "lite": Case("lite", BackboneConfig(), batch=8, pairs=10),
    "ViT-B/16": Case(
        "ViT-B/16", BackboneConfig(kind="openclip", model="ViT-B-16", weights="random:0"), batch=8, pairs=5
    ),
    "ViT-L/14@336": Case(
        "ViT-L/14@336, 518 px",
        BackboneConfig(kind="openclip", model="ViT-L-14-336-quickgelu", weights="random:0", image_size=518),
        batch=2,
    ),
    "tiny": Case("tiny", BackboneConfig(kind="tiny"), batch=4, pairs=2),
}


@dataclass(frozen=True, slots=True)
class InferenceRow:
    """Medians of one case; seconds are per image, memory is above what the loaded model holds.

    Attributes:
        plain_seconds: Plain formulation: fp32, batch 1, full-length prompts, unfolded FGP, every level
            upsampled, blurred by scipy.
        product_seconds: The product's path, from pixels to score and map.
        speedup: Median of the pairs' ratios.
        tower_seconds: The image tower alone, at the product's batch size.
        after_tower: Time of everything after the tower over the tower's.
        max_difference: Largest difference of the two paths' maps and scores.
        plain_mb: Peak memory of the plain formulation.
        product_mb: Peak memory of the product's path.
    """

    name: str
    size: int
    batch: int
    plain_seconds: float
    product_seconds: float
    speedup: float
    tower_seconds: float
    after_tower: float
    max_difference: float
    plain_mb: float | None
    product_mb: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def benchmark_inference(case: Case) -> InferenceRow:
    """Return one row of the table."""
    encoder = build_encoder(case.backbone)
    torch.manual_seed(0)
    model = Vip2Clip(encoder).eval().requires_grad_(False)
    scorer = TorchScorer(model)
    size = encoder.preprocess.size
    pixels = np.random.default_rng(0).integers(0, 256, (case.batch, size, size, 3), dtype=np.uint8)
    images = normalise(torch.from_numpy(pixels), encoder.preprocess)
    plain_score, plain_map = plain_prediction(model, images[:1])
    scores, maps = scorer.score(pixels)
    with peak_memory() as plain_peak:
        plain_prediction(model, images[:1])
    with peak_memory() as product_peak:
        scorer.score(pixels)
    with torch.inference_mode():
        features = encoder.encode_image(images)
        times = _in_turn(
            {
                "plain": lambda: plain_prediction(model, images[:1]),
                "product": lambda: scorer.score(pixels),
                "tower": lambda: encoder.encode_image(images),
                "after": lambda: model.anomaly_maps(model(features), size),
            },
            case.pairs,
        )
    product = [seconds / case.batch for seconds in times["product"]]
    return InferenceRow(
        name=case.name,
        size=size,
        batch=case.batch,
        plain_seconds=statistics.median(times["plain"]),
        product_seconds=statistics.median(product),
        speedup=statistics.median(a / b for a, b in zip(times["plain"], product, strict=True)),
        tower_seconds=statistics.median(times["tower"]) / case.batch,
        after_tower=statistics.median(a / b for a, b in zip(times["after"], times["tower"], strict=True)),
        max_difference=max(float(np.abs(plain_map - maps[0]).max()), abs(plain_score - float(scores[0]))),
        plain_mb=plain_peak.megabytes,
        product_mb=product_peak.megabytes,
    )


@torch.inference_mode()
def plain_prediction(model: Vip2Clip, image: torch.Tensor) -> tuple[float, np.ndarray]:
    """Return the score and the map of one image, by the formulation as it is published."""
    alignment = model.plain(model.encoder.encode_image(image))
    size = image.shape[-1]
    levels = model.level_maps(alignment, size)
    anomaly_map = gaussian_filter(levels.mean(0)[0].numpy(), model.config.blur_sigma)
    return float(alignment.scores[0]), anomaly_map


def benchmark_files(backbone: BackboneConfig, count: int = 200) -> dict[str, Any]:
    """Return images per second from JPEG files to scores, maps at their own size and regions.

    Args:
        backbone: With adapters drawn at random.
        count: Photographs of 640 × 480 that are made for it.
    """
    torch.manual_seed(0)
    model = Vip2Clip(build_encoder(backbone)).eval().requires_grad_(False)
    predictor = Predictor(TorchScorer(model), ModelCard(name="benchmark"))
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i in range(count):
            coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
            paths.append(Path(folder) / f"{i}.jpg")
            coarse.resize((640, 480), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
        list(predictor.predict(paths[: predictor.batch_size]))
        with peak_memory() as peak:
            start = time.perf_counter()
            found = sum(1 for _ in predictor.predict(paths))
            seconds = time.perf_counter() - start
    return {"images": found, "images_per_second": found / seconds, "peak_mb": peak.megabytes}


def _in_turn(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Run every piece of work once per round, so that drifts of the machine hit all alike."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, function in work.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return times
