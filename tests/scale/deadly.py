"""Models that are hard to bear, for workers to import: one input ends the process, another is large."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from zerosight.predict.reading import Read, Scored
from zerosight.preprocess import Preprocess
from zerosight.scale.work import AnomalyJob, Opened
from zerosight.types import Failure, Prediction

DEADLY = (13, 13)


@dataclass(frozen=True)
class DeadlyInput(Preprocess):
    """Cannot bear one size of image."""

    def pixels(self, image: Image.Image) -> np.ndarray:
        if image.size == DEADLY:
            os._exit(7)
        return Preprocess.pixels(self, image)


@dataclass(frozen=True)
class DeadlyJob(AnomalyJob):
    """Anomalies, with that input."""

    def open(self) -> Opened:
        opened = AnomalyJob.open(self)
        about = opened.preprocess
        assert about is not None
        return replace(opened, preprocess=DeadlyInput(about.size, about.mean, about.std, about.fit))


@dataclass(frozen=True)
class WideJob(AnomalyJob):
    """No model, and an input of 3 MB."""

    def open(self) -> Opened:
        def stream(images: Iterable[Read]) -> Iterator[Scored[Prediction]]:
            blank = np.zeros((4, 4), np.float32)
            for read in images:
                found = Prediction(read.source, 1.0, 0.5, 0.5, blank, ())
                yield Scored(None, Failure(read.source, str(read.error)) if read.error else found)

        return Opened(stream, Preprocess(1024, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), {"model": "none"}, False)
