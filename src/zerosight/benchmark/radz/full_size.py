"""Models of true sizes through training, saving, loading, scores and maps: time and memory of each step.

Every step runs in a process of its own, whose peak of memory is then that of the step; images wait for
nothing else. Of a model with fewer decoder layers than the real one the rest is computed: what a layer takes
times the layers that would run, all but the vision tower being put down to the layers that ran.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image
from transformers.utils import logging

from zerosight.backbones.mllm.model import Mllm
from zerosight.benchmark.memory import STATUS, kilobytes
from zerosight.benchmark.radz.shapes import SHAPES, Shape, write_model
from zerosight.benchmark.timing import seconds
from zerosight.data.manifest import ManifestHeader, Record, write_manifest
from zerosight.predict.findings import load_findings
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.run import train_radz

FINDINGS = ("pneumonia", "edema")
PAIRS, ROUNDS, RANK = 4, 3, 128
Step = Callable[..., dict[str, float]]


@dataclass(frozen=True, slots=True)
class FullSizeRow:
    """One model; seconds are those of one image on this machine, GB are 10⁹ bytes.

    Attributes:
        name: Of the model.
        parameters: Of the model as it was run.
        layers: Decoder layers that were run: all but those above the read layer.
        whole_parameters: Of the real model.
        whole_layers: Decoder layers that run in the real model.
        tokens: Of an image.
        train_seconds: Of a pair in a step of training with LoRA of rank 128, bf16, gradient checkpointing.
        train_gb: The most that training held.
        load_seconds: From the folder to a model that answers.
        tower_seconds: Of what the vision tower does.
        score_seconds: From pixels to the scores of all findings.
        score_gb: The most that loading and scoring held.
        map_seconds: Of a finding's map, beside its score.
        map_gb: The most that loading and maps held.
        whole_seconds: ``score_seconds`` of the real model, computed.
        whole_train_seconds: Likewise ``train_seconds``.
        whole_gb: The real model's weights in bfloat16.
    """

    name: str
    parameters: int
    layers: int
    whole_parameters: int
    whole_layers: int
    tokens: int
    train_seconds: float
    train_gb: float
    load_seconds: float
    tower_seconds: float
    score_seconds: float
    score_gb: float
    map_seconds: float
    map_gb: float
    whole_seconds: float
    whole_train_seconds: float
    whole_gb: float

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def apart(step: Step, *given: Any) -> dict[str, float]:
    """Run a step in a process of its own and return what it says, and the most that the process held."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_measured, step, *given).result()


def benchmark_full_size(
    name: str,
    tell: Callable[[str], None] = lambda what: None,
    shapes: Mapping[str, Shape] = SHAPES,
    run: Callable[..., dict[str, float]] = apart,
) -> FullSizeRow:
    """Return the row of a model.

    Args:
        name: One of ``shapes``.
        tell: Told what is measured.
        shapes: Models by name.
        run: What runs a step.
    """
    shape = shapes[name]
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        tell(f"{name}: written")
        written = run(write, shape, folder)
        tell(f"{name}: trained")
        trained = run(train, folder)
        tell(f"{name}: scored")
        scored = run(score, folder)
        tell(f"{name}: mapped")
        mapped = run(maps, folder)
    layers, missing = int(scored["layers"]), shape.layers - shape.text["num_hidden_layers"]
    whole = int(written["parameters"] + missing * scored["layer_parameters"])
    return FullSizeRow(
        name=name,
        parameters=int(written["parameters"]),
        layers=layers,
        whole_parameters=whole,
        whole_layers=layers + missing,
        tokens=int(scored["tokens"]),
        train_seconds=trained["seconds"],
        train_gb=trained["gb"],
        load_seconds=scored["load"],
        tower_seconds=scored["tower"],
        score_seconds=scored["whole"],
        score_gb=scored["gb"],
        map_seconds=mapped["seconds"],
        map_gb=mapped["gb"],
        whole_seconds=scored["whole"] + missing * scored["decoder"] / layers,
        whole_train_seconds=trained["seconds"] + missing * (trained["seconds"] - scored["tower"]) / layers,
        whole_gb=2 * whole / 1e9,
    )


def write(shape: Shape, folder: Path) -> dict[str, float]:
    """Write a model, and images with reports to train it on."""
    parameters = write_model(shape, folder / "model")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(PAIRS):
        Image.fromarray(rng.integers(0, 256, (512, 512), dtype=np.uint8)).save(folder / f"{number}.png")
        words = f"The lungs are clear, {number}." if number % 2 else "Bibasilar opacities, probably edema."
        labels = dict.fromkeys(FINDINGS, 1 - number % 2)
        rows.append(Record(f"{number}.png", split="train", text=words, labels=labels))
    write_manifest(folder / "pairs.jsonl", ManifestHeader("pairs", str(folder)), rows)
    return {"parameters": float(parameters)}


class _Clock(pl.Callback):
    """Keeps how long each step took."""

    def __init__(self) -> None:
        self.begun, self.taken = 0.0, list[float]()

    def on_train_batch_start(self, *_: Any) -> None:
        """Begin."""
        self.begun = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        """End."""
        self.taken.append(time.perf_counter() - self.begun)


def train(folder: Path) -> dict[str, float]:
    """Train for two steps of two pairs, one in memory at a time; the first is not counted."""
    clock = _Clock()
    settings = {
        "data": [str(folder / "pairs.jsonl")],
        "out": folder / "run",
        "mllm": {"model": str(folder / "model"), "adapt": {"rank": RANK, "alpha": 2 * RANK}},
        "epochs": 1,
        "batch_size": PAIRS // 2,
        "micro_batch_size": 1,
        "precision": "bf16-mixed",
        "gradient_checkpointing": True,
    }
    train_radz(RadzTrainConfig.parse(settings, "benchmark"), callbacks=(clock,))
    return {"seconds": clock.taken[-1] / (PAIRS // 2)}


def score(folder: Path) -> dict[str, float]:
    """Load what was trained, and time one image."""
    begun = time.perf_counter()
    predictor = load_findings(folder / "run")
    load = time.perf_counter() - begun
    question = predictor.ask(FINDINGS)
    mllm: Mllm = predictor.model.mllm  # type: ignore[attr-defined]
    side = mllm.preprocess.size
    pixels = np.random.default_rng(1).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    images = torch.from_numpy(pixels)
    with torch.inference_mode():
        seen = mllm.see(images)
        timed = {
            "tower": lambda: mllm.see(images),
            "decoder": lambda: mllm.encode_images(seen),
            "whole": lambda: predictor.score(pixels, question),
        }
        tokens = mllm.project(seen).shape[1]
        predictor.score(pixels, question)
        found = {key: statistics.median(seconds(work) for _ in range(ROUNDS)) for key, work in timed.items()}
    first = next(mllm.decoder.get_submodule("layers").children())
    counted = sum(weight.numel() for name, weight in first.named_parameters() if "lora_" not in name)
    facts = {"layers": mllm.layers, "tokens": tokens, "layer_parameters": counted}
    return found | facts | {"load": load}


def maps(folder: Path) -> dict[str, float]:
    """Load what was trained, and time the maps of one image beside its scores."""
    predictor = load_findings(folder / "run")
    question = predictor.ask(FINDINGS)
    image = folder / "0.png"
    predictor.predict_one(image, question, threshold=0.0)

    def look(maps: bool) -> float:
        work = partial(predictor.predict_one, image, question, threshold=0.0, maps=maps)
        return statistics.median(seconds(work) for _ in range(ROUNDS))

    return {"seconds": (look(True) - look(False)) / len(FINDINGS)}


def _measured(step: Step, *given: Any) -> dict[str, float]:
    logging.disable_progress_bar()
    return step(*given) | {"gb": kilobytes("VmHWM", STATUS.read_text()) * 1024 / 1e9}
