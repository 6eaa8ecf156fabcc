"""A model's process without a model: scores are means. Some names of images make it misbehave.

The model called ``chest`` is one of findings: each one's probability is the mean, less for every next one;
black images are unlike what it knows.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from zerosight.errors import ConfigError, WeightsError
from zerosight.models.card import AnomalyCard, Thresholds
from zerosight.models.catalog import load_card
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.predict.anomalies import Predictor
from zerosight.predict.reading import Scored
from zerosight.preprocess import Preprocess
from zerosight.serve import worker
from zerosight.serve.jobs import Answer, Job
from zerosight.serve.work import AnomalyWork, FindingWork, Work
from zerosight.types import FindingPrediction, FindingScore


class MeanScorer:
    """Scores an image by its mean, and a pixel by its value."""

    preprocess = Preprocess(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def score(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        maps = pixels.mean(axis=3, dtype=np.float32) / np.float32(255)
        return maps.mean(axis=(1, 2)), maps


class Moody(AnomalyWork):
    """Does what the names of images ask for."""

    def __call__(self, jobs: Sequence[Job]) -> list[Answer]:
        names = [str(job.options.get("source")) for job in jobs]
        if "crash" in names:
            os._exit(9)
        if "raise" in names:
            raise ValueError("secret detail")
        if "slow" in names:
            time.sleep(1)
        if "brief" in names:
            time.sleep(0.05)
        if "hang" in names:
            time.sleep(3600)
        if "batch" in names:
            return [Answer({"names": names}) for _ in jobs]
        if "chatty" in names:
            print("a library prints to standard output")
        return super().__call__(jobs)


class MeanFindings:
    """Gives a finding the mean of the image, and the next ones a tenth less each."""

    card = SimpleNamespace(name="chest", architecture="llava-radz", intended_use="Research use only.")
    model = SimpleNamespace(preprocess=Preprocess(32, (0.5,) * 3, (0.5,) * 3))
    key = "0"

    def ask(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        if "nonsense" in labels:
            raise ConfigError("labels: no finding is called 'nonsense'")
        return labels

    def stream(
        self, images: list[Image.Image], labels: tuple[str, ...], **wanted: Any
    ) -> Iterator[Scored[FindingPrediction]]:
        for image in images:
            grey = np.asarray(image.convert("L"), np.float32) / np.float32(255)
            shares = [round(float(grey.mean()) * 0.9**i, 6) for i in range(len(labels))]
            limit = 0.4 if wanted["threshold"] is None else wanted["threshold"]
            found = (FindingScore(*one, one[1], limit) for one in zip(labels, shares, strict=True))
            maps = dict.fromkeys(labels, grey) if wanted["maps"] else {}
            about = {"is_familiar": bool(grey.mean() > 0.05), "limitation": "Knows grey squares only."}
            yield Scored(image, FindingPrediction("", tuple(found), "pos-neg", "train-only", maps, **about))


class Findings(FindingWork):
    """As the real one, with the findings that the fake one is asked for by default."""

    def __init__(self, max_pixels: int) -> None:
        self.predictor = MeanFindings()  # type: ignore[assignment]
        self.max_pixels, self.default, self._asked = max_pixels, ("effusion", "mass", "nodule"), {}


def load(settings: dict[str, object]) -> Work:
    if settings["model"] == "broken":
        raise WeightsError("broken: its weights are damaged")
    if settings["model"] == "chest":
        return Findings(int(str(settings["pixels"])))
    model = str(settings["model"])
    card = Vip2ClipCard(name="mean", thresholds=Thresholds(image=0.5, pixel=0.5))
    if Path(model).is_dir():
        card = load_card(Path(model), Vip2ClipCard)
    card = AnomalyCard(name=card.name, architecture=card.architecture, thresholds=card.thresholds)
    return Moody(Predictor(MeanScorer(), card), int(str(settings["pixels"])), model)


if __name__ == "__main__":
    worker.load_work = load  # type: ignore[assignment]
    sys.exit(worker.main(sys.argv[1:]))
