"""Judge a model on cached features: the mean AUROC of findings, with its resamples."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

from zerosight.ablate.outcome import Measured
from zerosight.ablate.radz.anchors import Asking
from zerosight.ablate.radz.material import TestSet
from zerosight.choices import ScoreMode
from zerosight.data.chest.names import NO_DISEASE, NO_FINDING, canonical
from zerosight.metrics.bootstrap import draws
from zerosight.metrics.curves import roc_area
from zerosight.metrics.findings import mean_auroc
from zerosight.metrics.ranking import rank
from zerosight.models.llava_radz.anchors import anchor_texts, build_anchors
from zerosight.models.llava_radz.folder import LoadedModel
from zerosight.models.llava_radz.scoring import finding_scores
from zerosight.models.llava_radz.vqa import answers_of
from zerosight.train.radz.features import FeatureSource
from zerosight.train.radz.samples import PairBatch, Study, StudyData
from zerosight.train.sampling import EpochSampler, make_loader

AUROC, AMONG, WATCHED = "AUROC", "AUROC among the sick", "AUROC, watched"
BATCH = 32

Labels = Float64[np.ndarray, "images classes"]
"""1 present, 0 absent, NaN not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A model's scores on a data set.

    Attributes:
        scores: Of each image and finding.
        labels: 1 present, 0 absent, NaN not known.
        seconds: The model took for all images, from what the tower saw on.
    """

    scores: Float64[np.ndarray, "images classes"]
    labels: Labels
    seconds: float


@torch.inference_mode()
def judge(
    loaded: LoadedModel, asked: Asking, mode: ScoreMode, test: TestSet, source: FeatureSource
) -> Judged:
    """Return a model's scores on a data set.

    Args:
        loaded: The model.
        asked: How findings are asked for.
        mode: How images are scored where ``asked`` names no mode.
        test: The images.
        source: Gives what the tower saw of them.

    Raises:
        DataError: An image cannot be used, or a finding has no description.
    """
    model = loaded.model
    texts = anchor_texts(test.findings, asked.descriptions(test.findings))
    anchors = build_anchors(lambda some: model.embed_texts(some).pooled, texts, "", loaded.card.trained_on)
    scores, seconds = [], 0.0
    for batch in batches(test.studies, source):
        seen = source.features(batch.pairs)
        begin = time.perf_counter()
        if asked.way == "vqa":
            found = answers_of(model.mllm, seen, test.findings)
        else:
            pooled = model.embed_images(seen).pooled
            found = finding_scores(pooled, anchors, asked.mode or mode, float(model.temperature))
        seconds += time.perf_counter() - begin
        scores.append(found.double().cpu().numpy())
    labels = [[_number(study.labels.get(name)) for name in test.findings] for study in test.studies]
    return Judged(np.concatenate(scores), np.array(labels), seconds)


def batches(studies: Sequence[Study], source: FeatureSource) -> Iterable[PairBatch]:
    """Return batches of images in their order."""
    data = StudyData(list(studies), source.mllm.preprocess, source.lookup, "report", 0)
    return make_loader(data, EpochSampler(len(data), None), BATCH, PairBatch)


def measure(
    judged: Judged, test: TestSet, watched: Sequence[str] = (), shuffled: bool = False, resamples: int = 1000
) -> dict[str, Measured]:
    """Return the mean AUROC over findings, on all images and on those that show one, and of watched findings.

    Among images that show a finding, whatever merely tells the sick from the well is at chance.

    Args:
        judged: The scores.
        test: What was judged.
        watched: Findings that are told apart, in any spelling.
        shuffled: Take the scores of each other finding in turn, and return the mean.
        resamples: Of the bootstrap over patients; 0 for none. The same for every variant.
    """
    patients = [study.patient for study in test.studies]
    shifts = range(1, len(test.findings)) if shuffled else (0,)
    found = {}
    for name, labels in _views(judged.labels, test, watched).items():
        columns = [n for n, truth in enumerate(labels.T) if {0, 1} <= {*truth}]
        scores = [np.roll(judged.scores, shift, 1)[:, columns] for shift in shifts if columns]
        if scores:
            parts = (mean_with_resamples(one, labels[:, columns], patients, resamples) for one in scores)
            found[name] = Measured.mean(list(parts))
    return found


def _views(labels: Labels, test: TestSet, watched: Sequence[str]) -> dict[str, Labels]:
    """Return the labels that each metric looks at, NaN elsewhere."""
    sick = np.array([bool(study.diseases - {*NO_DISEASE}) for study in test.studies])
    is_finding = np.array([name != NO_FINDING for name in test.findings])
    apart = np.isin(test.findings, [canonical(name) for name in watched])
    return {
        AUROC: labels,
        AMONG: np.where(sick[:, None] & is_finding, labels, np.nan),
        WATCHED: np.where(apart, labels, np.nan),
    }


def mean_with_resamples(
    scores: Float64[np.ndarray, "images classes"],
    labels: Float64[np.ndarray, "images classes"],
    patients: Sequence[str],
    resamples: int,
) -> Measured:
    """Return the mean AUROC over findings; a resample counts if every finding has images of both kinds."""
    value = mean_auroc(scores, labels).value
    if not resamples:
        return Measured.of(value)
    rankings = []
    for column, truth in zip(scores.T, labels.T, strict=True):
        known = np.flatnonzero(~np.isnan(truth))
        rankings.append(rank(column[known], truth[known] == 1, known))
    drawn = []
    for weights in draws(patients, len(scores), resamples, 0):
        rows = []
        for ranking in rankings:
            false, true = ranking.count(weights)
            both = (false[:, -1] > 0) & (true[:, -1] > 0)
            rows.append(np.where(both, roc_area(false, true), np.nan))
        drawn.append(np.mean(rows, axis=0))
    values = np.concatenate(drawn)
    return Measured.of(value, values[~np.isnan(values)])


def _number(value: int | None) -> float:
    return np.nan if value is None else float(value)
