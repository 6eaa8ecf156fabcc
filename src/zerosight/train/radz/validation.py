"""Held-out images during training: zero-shot AUROC after every epoch, and calibration at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float
from sklearn.metrics import roc_auc_score
from torch import Tensor

from zerosight.models.llava_radz.anchors import AnchorTexts, build_anchors
from zerosight.models.llava_radz.calibration import FindingCalibration, fit_calibration
from zerosight.models.llava_radz.model import LlavaRadz
from zerosight.models.llava_radz.scoring import ScoreMode, finding_scores
from zerosight.train.radz.studies import Study

FEWEST = 5
TextsOf = Callable[[tuple[str, ...]], AnchorTexts]


class Validation:
    """Scores images like a user would: against anchors of the findings that their labels can judge.

    Args:
        studies: Held-out images; may be empty.
        texts: Returns what the anchors of some findings are made of.
        mode: How they are scored.
    """

    def __init__(self, studies: list[Study], texts: TextsOf, mode: ScoreMode) -> None:
        self.names = judged(studies)
        self.texts = texts(self.names) if self.names else None
        self.mode = mode
        self.images: list[Tensor] = []
        self.labels: list[list[float]] = []

    def add(self, image: Float[Tensor, "batch dim"], labels: list[Mapping[str, int | None]]) -> None:
        """Take in the global features of some images and their labels."""
        self.images.append(image.float().cpu())
        for one in labels:
            values = (one.get(name) for name in self.names)
            self.labels.append([np.nan if value is None else float(value) for value in values])

    def finish(self, model: LlavaRadz) -> tuple[Float[np.ndarray, "images classes"], np.ndarray]:
        """Return scores and labels of the images taken in, and forget them."""
        assert self.texts is not None
        anchors = build_anchors(lambda texts: model.embed_texts(texts).pooled, self.texts, "", None)
        temperature = float(model.temperature)
        scores = finding_scores(torch.cat(self.images), anchors, self.mode, temperature).numpy()
        labels = np.array(self.labels)
        self.images, self.labels = [], []
        return scores, labels

    def calibration(self, scores: np.ndarray, labels: np.ndarray) -> FindingCalibration:
        """Return what brings scores to probabilities and thresholds on these images."""
        return fit_calibration(scores, labels, self.names, self.mode, source=f"{len(labels)} held-out images")


def judged(studies: list[Study]) -> tuple[str, ...]:
    """Return the findings with at least five images of either kind."""
    names = sorted({name for study in studies for name in study.labels})

    def count(name: str, value: int) -> int:
        return sum(study.labels.get(name) == value for study in studies)

    return tuple(name for name in names if min(count(name, 0), count(name, 1)) >= FEWEST)


def mean_auroc(scores: Float[np.ndarray, "images classes"], labels: np.ndarray) -> float:
    """Return the mean over findings of the AUROC on images whose label is known."""
    values = []
    for column, truth in zip(scores.T, labels.T, strict=True):
        known = ~np.isnan(truth)
        values.append(float(roc_auc_score(truth[known], column[known])))
    return float(np.mean(values))
