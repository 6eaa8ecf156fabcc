"""Calibration of findings on labelled validation images: probabilities that come true, and thresholds.

    x = logit(score)                     score a probability; a cosine c counts as (1 + c)/2
    p = σ(slope · x / temperature + offset)

The temperature is one for all findings, slope and offset are each finding's own (Platt scaling). Slopes are
positive, so the order of the images, and with it AUROC and AP, stays as it was. A finding with too few images
of either kind keeps slope 1 and offset 0, and says why. (1 + c)/2 brings a cosine into [0, 1] in its order;
it is no probability before a finding is calibrated: ask :meth:`FindingCalibration.is_calibrated`.
Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (temperature); Platt, "Probabilistic
Outputs for Support Vector Machines", 1999 (slope, offset, smoothed targets). The paper has no calibration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Shaped
from pydantic import Field
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

from zerosight.choices import ScoreMode
from zerosight.config import Config
from zerosight.data.chest.names import canonical
from zerosight.errors import DataError
from zerosight.metrics.decision import best_threshold
from zerosight.metrics.ranking import rank

LOWEST, HIGHEST = np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).epsneg
TEMPERATURES = (0.1, 10.0)
FLATTEST = 1e-3  # smallest slope per standard deviation of x that counts as rising


class FindingScale(Config):
    """What calibration knows about one finding."""

    slope: float = Field(1.0, gt=0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)
    threshold: float = Field(0.5, ge=0, le=1, description="probabilities at or above it count as present")
    positives: int = Field(0, ge=0, description="validation images with the finding")
    negatives: int = Field(0, ge=0, description="validation images without it")
    reason: str = Field(
        "not calibrated", description="why slope and offset are not fitted; empty if they are"
    )


class CalibrationConfig(Config):
    """How much evidence a finding needs to be calibrated; our defaults."""

    min_positives: int = Field(10, ge=1)
    min_negatives: int = Field(10, ge=1)


class FindingCalibration(Config):
    """From scores to probabilities and thresholds; without findings it changes no probability."""

    mode: ScoreMode = Field("pos-neg", description="the scores it is for")
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    findings: dict[str, FindingScale] = Field({}, description="by canonical name; any other: the defaults")
    source: str = Field("not calibrated", description="the data it was fitted on")

    def scale(self, name: str) -> FindingScale:
        """Return what is known about a finding, in any spelling."""
        return self.findings.get(canonical(name), FindingScale())

    def is_calibrated(self, name: str) -> bool:
        """Whether the probabilities of a finding were fitted to labels."""
        return not self.scale(name).reason

    def thresholds(self, names: Sequence[str]) -> Float64[np.ndarray, " classes"]:
        """Return each finding's threshold, in [0, 1]: of the largest F1 on validation, else 0.5."""
        return np.array([self.scale(name).threshold for name in names])

    def probabilities(
        self, scores: Shaped[np.ndarray, "images classes"], names: Sequence[str]
    ) -> Float64[np.ndarray, "images classes"]:
        """Return probabilities in [0, 1], in the order of the scores of each finding.

        Args:
            scores: As :func:`~.scoring.finding_scores` gives them in this mode.
            names: The finding of each column.

        Raises:
            DataError: A score is out of the mode's range, or there is not one name per column.
        """
        x = _evidence(scores, names, self.mode)
        slopes = np.array([self.scale(name).slope for name in names])
        offsets = np.array([self.scale(name).offset for name in names])
        return expit(x * (slopes / self.temperature) + offsets)


def fit_calibration(
    scores: Shaped[np.ndarray, "images classes"],
    labels: Shaped[np.ndarray, "..."],
    names: Sequence[str],
    mode: ScoreMode = "pos-neg",
    config: CalibrationConfig | None = None,
    source: str = "validation images",
) -> FindingCalibration:
    """Return the calibration that fits labelled images best; the same images always give the same one.

    Args:
        scores: As :func:`~.scoring.finding_scores` gives them in this mode.
        labels: 1 present, 0 absent, NaN not known, in the scores' shape.
        names: The finding of each column.
        mode: The scores' mode.
        config: How much evidence a finding needs.
        source: What to say about the data.

    Raises:
        DataError: Shapes differ, a value is not allowed, or a finding is named twice.
    """
    x = _evidence(scores, names, mode)
    if labels.shape != x.shape:
        raise DataError(f"labels have shape {labels.shape}, scores {x.shape}: give one label per score")
    truth = labels.astype(np.float64)
    wrong = truth[~(np.isin(truth, (0, 1)) | np.isnan(truth))]
    if wrong.size:
        raise DataError(f"a label is {wrong[0]}: labels are 1 (present), 0 (absent) or NaN (not known)")
    keys = [canonical(name) for name in names]
    if len(set(keys)) < len(keys):
        raise DataError(f"a finding is named twice in {', '.join(names)}; give one column per finding")
    needs = config or CalibrationConfig()
    temperature = 1.0 if mode == "cosine" else _temperature(x, truth)
    findings = {
        key: _fit(x[:, column] / temperature, truth[:, column], needs) for column, key in enumerate(keys)
    }
    return FindingCalibration(mode=mode, temperature=temperature, findings=findings, source=source)


def _evidence(
    scores: Shaped[np.ndarray, "images classes"], names: Sequence[str], mode: ScoreMode
) -> Float64[np.ndarray, "images classes"]:
    """Return the logits of checked scores."""
    if scores.shape[1] != len(names):
        raise DataError(f"there are {scores.shape[1]} columns of scores and {len(names)} names: give as many")
    lowest = -1 if mode == "cosine" else 0
    wrong = scores[~((scores >= lowest) & (scores <= 1))]
    if wrong.size:
        raise DataError(f"a score is {wrong[0]}: those of mode {mode!r} are from {lowest} to 1")
    share = scores.astype(np.float64)
    share = ((1 + share) / 2 if mode == "cosine" else share).clip(LOWEST, HIGHEST)
    return np.log(share) - np.log1p(-share)


def _temperature(
    x: Float64[np.ndarray, "images classes"], labels: Float64[np.ndarray, "images classes"]
) -> float:
    """Return the temperature of the largest likelihood over all known labels; 1 if none is known."""
    known = ~np.isnan(labels)
    if not known.any():
        return 1.0
    evidence, signs = x[known], 2 * labels[known] - 1

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, -signs * evidence * np.exp(-log_temperature)).mean())

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def _fit(
    x: Float64[np.ndarray, " images"], labels: Float64[np.ndarray, " images"], needs: CalibrationConfig
) -> FindingScale:
    """Return slope, offset and threshold of one finding, or why there are none."""
    known = ~np.isnan(labels)
    evidence, positive = x[known], labels[known] == 1
    positives, negatives = int(positive.sum()), int((~positive).sum())

    def without(reason: str) -> FindingScale:
        return FindingScale(positives=positives, negatives=negatives, reason=reason)

    if positives < needs.min_positives or negatives < needs.min_negatives:
        return without(
            f"{positives} images with and {negatives} without the finding: "
            f"{needs.min_positives} and {needs.min_negatives} are needed"
        )
    spread = float(evidence.std())
    if spread <= 1e-9 * max(1.0, float(np.abs(evidence).max())):
        return without("all scores are equal")
    rise, level = _platt((evidence - evidence.mean()) / spread, positive)
    if rise < FLATTEST:
        return without("the scores do not rise with the finding")
    slope = rise / spread
    offset = level - slope * float(evidence.mean())
    threshold = best_threshold(rank(expit(slope * evidence + offset), positive))
    return FindingScale(
        slope=slope, offset=offset, threshold=threshold, positives=positives, negatives=negatives, reason=""
    )


def _platt(x: Float64[np.ndarray, " images"], positive: Bool[np.ndarray, " images"]) -> tuple[float, float]:
    """Return slope and offset of the largest likelihood; Platt's smoothed targets keep them finite."""
    positives, negatives = positive.sum(), (~positive).sum()
    target = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        logits = values[0] * x + values[1]
        error = (expit(logits) - target) / x.size
        return float((np.logaddexp(0, logits) - target * logits).mean()), np.array([error @ x, error.sum()])

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return float(slope), float(offset)
