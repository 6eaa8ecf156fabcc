"""Measured values: paired differences, means, and lines that come back."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from zerosight.ablate.outcome import Measured, Outcome


def test_a_difference_is_taken_resample_by_resample():
    ours, theirs = Measured.of(0.8, np.array([0.7, 0.9])), Measured.of(0.6, np.array([0.5, 0.8]))
    difference = ours.minus(theirs)
    assert difference.value == pytest.approx(0.2)
    assert difference.resampled == pytest.approx((0.2, 0.1))
    assert ours.minus(Measured(0.6)).resampled == ()
    assert ours.interval is not None
    assert (ours.interval.low, ours.interval.high) == pytest.approx((0.705, 0.895))


def test_a_mean_leaves_out_what_is_not_defined():
    parts = [Measured(0.5, (0.4, 0.6)), Measured(math.nan), Measured(1.0, (1.0, 1.0))]
    assert Measured.mean(parts) == Measured(0.75, (0.7, 0.8))
    assert Measured.mean([*parts, Measured(0.0)]) == Measured(0.5)
    assert not Measured.mean([]).is_defined


def test_a_line_comes_back_as_it_was():
    outcome = Outcome("ab", 1, {"set": {"auroc": Measured(0.5, (0.25, 0.75))}}, {"seconds": 2.0})
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome
    blank = Outcome("ab", 1, {"set": {"auroc": Measured(math.nan)}})
    assert not Outcome.from_json(json.loads(json.dumps(blank.to_json()))).measured["set"]["auroc"].is_defined


@pytest.mark.parametrize(
    "values",
    [[], {"identity": "a"}, {"identity": "a", "seed": 1, "cost": {}, "measured": {"s": {"m": {"value": 1}}}}],
    ids=["list", "parts", "no resamples"],
)
def test_what_is_no_outcome_is_refused(values):
    with pytest.raises(ValueError, match="is no"):
        Outcome.from_json(values)
