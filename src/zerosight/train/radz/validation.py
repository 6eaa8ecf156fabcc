"""Held-out images during training: zero-shot AUROC after every epoch, and the calibration of the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.choices import ScoreMode
from zerosight.metrics.findings import mean_auroc
from zerosight.models.llava_radz.anchors import AnchorTexts, Embed, build_anchors
from zerosight.models.llava_radz.calibration import FindingCalibration, fit_calibration
from zerosight.models.llava_radz.scoring import finding_scores
from zerosight.train.radz.samples import Study

FEWEST = 5


@dataclass(frozen=True, slots=True)
class Judgement:
    """What held-out images say of a model.

    Attributes:
        auroc: Mean over findings, in [0, 1].
        calibration: What brings its scores to probabilities and thresholds on these images.
    """

    auroc: float
    calibration: FindingCalibration


class Validation:
    """Scores images like a user would: against anchors of the findings that their labels can judge.

    Args:
        texts: What the anchors of the findings are made of, such as those of :func:`judged`.
        mode: How images are scored.
    """

    def __init__(self, texts: AnchorTexts, mode: ScoreMode) -> None:
        self.texts = texts
        self.mode = mode
        self.images: list[Tensor] = []
        self.labels: list[list[float]] = []

    def add(self, image: Float[Tensor, "batch dim"], labels: list[Mapping[str, int | None]]) -> None:
        """Take in the global features of some images and their labels."""
        self.images.append(image.float().cpu())
        for one in labels:
            values = (one.get(name) for name in self.texts.names)
            self.labels.append([np.nan if value is None else float(value) for value in values])

    def finish(self, embed: Embed, temperature: float) -> Judgement:
        """Judge by the images taken in, and forget them.

        Args:
            embed: Texts to vectors, by the model as it is.
            temperature: The model's τ.
        """
        anchors = build_anchors(embed, self.texts, "", None)
        scores = finding_scores(torch.cat(self.images), anchors, self.mode, temperature).numpy()
        labels = np.array(self.labels)
        self.images, self.labels = [], []
        calibration = fit_calibration(
            scores, labels, self.texts.names, self.mode, source=f"{len(labels)} held-out images"
        )
        return Judgement(mean_auroc(scores, labels).value, calibration)


def judged(studies: list[Study]) -> tuple[str, ...]:
    """Return the findings with at least five images of either kind."""
    names = sorted({name for study in studies for name in study.labels})

    def count(name: str, value: int) -> int:
        return sum(study.labels.get(name) == value for study in studies)

    return tuple(name for name in names if min(count(name, 0), count(name, 1)) >= FEWEST)
