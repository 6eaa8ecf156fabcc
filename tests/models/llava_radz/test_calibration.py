"""Calibrated probabilities come true, keep the order, and say where they could not be fitted."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score

from zerosight.errors import ConfigError, DataError
from zerosight.models.llava_radz.calibration import (
    CalibrationConfig,
    FindingCalibration,
    FindingScale,
    fit_calibration,
)

NAMES = ("edema", "hernia")


def draw(images: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overconfident scores of two findings, whose true probabilities are known."""
    random = np.random.default_rng(seed)
    logits = random.normal([-1.5, 0.5], [1.2, 0.8], size=(images, 2))
    labels = (random.random((images, 2)) < expit(logits)).astype(float)
    return expit(3 * logits + [4, -2]), labels


def calibration_error(probability: np.ndarray, label: np.ndarray) -> float:
    """Mean distance of predicted from observed shares over ten bins of equal width."""
    bins = np.minimum((probability * 10).astype(int), 9)
    gaps = [abs((probability - label)[bins == b].sum()) for b in range(10)]
    return sum(gaps) / len(label)


def test_new_images_are_better_calibrated_in_the_same_order():
    fitted = fit_calibration(*draw(), NAMES)
    scores, labels = draw(seed=1)
    found = fitted.probabilities(scores, NAMES)
    for k in range(2):
        before, after = (calibration_error(p[:, k], labels[:, k]) for p in (scores, found))
        assert after < before / 2
        assert after < 0.07
        assert roc_auc_score(labels[:, k], found[:, k]) == roc_auc_score(labels[:, k], scores[:, k])


def test_slope_and_offset_are_those_of_logistic_regression():
    scores, labels = draw(4000)
    fitted = fit_calibration(scores, labels, NAMES)
    x = np.log(scores) - np.log1p(-scores)
    for k, name in enumerate(NAMES):
        reference = LogisticRegression(C=np.inf).fit(x[:, [k]], labels[:, k])
        scale = fitted.scale(name)
        assert scale.slope / fitted.temperature == pytest.approx(reference.coef_.item(), rel=0.01)
        assert scale.offset == pytest.approx(reference.intercept_.item(), abs=0.01)


def test_the_temperature_mends_overconfidence():
    random = np.random.default_rng(3)
    logits = random.normal(size=(4000, 2))
    labels = (random.random(logits.shape) < expit(logits)).astype(float)
    fitted = fit_calibration(expit(3 * logits), labels, NAMES)
    assert fitted.temperature == pytest.approx(3, rel=0.1)
    rare = FindingCalibration(temperature=fitted.temperature)
    assert np.allclose(rare.probabilities(expit(3 * logits), NAMES), expit(logits), atol=0.02)


def test_thresholds_have_the_largest_f1_on_validation():
    scores, labels = draw(150)
    fitted = fit_calibration(scores, labels, NAMES)
    found, thresholds = fitted.probabilities(scores, NAMES), fitted.thresholds(NAMES)
    for k in range(2):
        every = [f1_score(labels[:, k], found[:, k] >= t) for t in found[:, k]]
        assert f1_score(labels[:, k], found[:, k] >= thresholds[k]) == pytest.approx(max(every))


def test_cosines_are_calibrated_too_and_before_that_only_ordered():
    scores, labels = draw()
    cosines = 0.1 + 0.02 * np.log(scores / (1 - scores))
    fitted = fit_calibration(cosines, labels, NAMES, "cosine")
    found = fitted.probabilities(cosines, NAMES)
    assert calibration_error(found[:, 0], labels[:, 0]) < 0.05
    assert fitted.is_calibrated("Edema")
    assert fitted.temperature == 1
    plain = FindingCalibration(mode="cosine")
    assert not plain.is_calibrated("edema")
    assert np.allclose(plain.probabilities(cosines, NAMES), (1 + cosines) / 2)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.just(2)), elements=st.floats(0, 1)),
    st.floats(0.01, 20),
    st.floats(-20, 20),
)
def test_probabilities_never_fall_as_scores_rise(scores, slope, offset):
    scale = FindingScale(slope=slope, offset=offset)
    found = FindingCalibration(findings={"edema": scale}).probabilities(scores, NAMES)
    assert ((found >= 0) & (found <= 1)).all()
    for column in range(2):
        assert (np.diff(found[np.argsort(scores[:, column]), column]) >= 0).all()
    assert np.allclose(found[:, 1], scores[:, 1])


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float64, (30, 1), elements=st.floats(0, 1)),
    hnp.arrays(np.float64, (30, 1), elements=st.sampled_from([0, 1, np.nan])),
)
def test_any_validation_set_gives_a_calibration_that_can_be_stored(scores, labels):
    few = CalibrationConfig(min_positives=1, min_negatives=1)
    fitted = fit_calibration(scores, labels, ["Pleural_Thickening"], config=few)
    assert FindingCalibration.model_validate_json(fitted.model_dump_json()) == fitted
    assert fitted == fit_calibration(scores, labels, ["pleural thickening"], config=few)
    scale = fitted.scale("pleural thickening")
    assert (scale.positives, scale.negatives) == ((labels == 1).sum(), (labels == 0).sum())
    assert np.isfinite(fitted.probabilities(scores, ["pleural thickening"])).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda s, y: (s, np.where(np.cumsum(y) > 4, np.nan, y)),
            "4 images with and .* 10 and 10 are",
        ),
        (lambda s, y: (s, np.full_like(y, np.nan)), "0 images with and 0 without"),
        (lambda s, y: (np.full_like(s, 0.3), y), "all scores are equal"),
        (lambda s, y: (1 - s, y), "do not rise with the finding"),
    ],
)
def test_a_finding_that_cannot_be_calibrated_says_why(change, reason):
    scores, labels = draw()
    s, y = change(scores[:, 1].copy(), labels[:, 1])
    fitted = fit_calibration(np.stack([scores[:, 0], s], 1), np.stack([labels[:, 0], y], 1), NAMES)
    scale = fitted.scale("hernia")
    assert (scale.slope, scale.offset, scale.threshold) == (1, 0, 0.5)
    assert fitted.is_calibrated("edema")
    assert not fitted.is_calibrated("hernia")
    assert re.search(reason, scale.reason)


def test_separable_scores_stay_finite():
    scores = np.repeat([[0.2], [0.8]], 20, axis=0)
    labels = np.repeat([[0.0], [1.0]], 20, axis=0)
    fitted = fit_calibration(scores, labels, ["edema"])
    low, high = fitted.probabilities(np.array([[0.2], [0.8]]), ["edema"])[:, 0]
    assert (low, high) == (pytest.approx(1 / 22, abs=1e-3), pytest.approx(21 / 22, abs=1e-3))
    assert low < fitted.thresholds(["edema"])[0] <= high


def test_the_default_changes_nothing():
    scores = np.array([[0.0, 0.25], [1.0, 0.75]])
    assert np.allclose(FindingCalibration().probabilities(scores, NAMES), scores)
    assert FindingCalibration().thresholds(NAMES).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("scores", "labels", "names", "message"),
    [
        ([[1.2]], [[1]], ["edema"], r"a score is 1\.2: those of mode 'pos-neg' are from 0 to 1"),
        ([[np.nan]], [[1]], ["edema"], "a score is nan"),
        ([[0.5]], [[-1]], ["edema"], r"a label is -1\.0: labels are 1 \(present\)"),
        ([[0.5]], [[1, 0]], ["edema"], r"labels have shape \(1, 2\), scores \(1, 1\)"),
        ([[0.5]], [[1]], ["edema", "hernia"], "1 columns of scores and 2 names"),
        ([[0.5, 0.5]], [[1, 0]], ["edema", "Oedema"], "named twice in edema, Oedema"),
    ],
)
def test_wrong_input_is_refused_in_one_line(scores, labels, names, message):
    with pytest.raises(DataError, match=message):
        fit_calibration(np.array(scores), np.array(labels), names)


def test_a_falling_slope_is_no_calibration():
    with pytest.raises(ConfigError, match="slope"):
        FindingCalibration.parse({"findings": {"edema": {"slope": -1}}})
