"""Anatomy: outlines keep the proportions they are given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zerosight.synthesis.chests.anatomy import (
    SIDES,
    Patient,
    collapsed,
    draw_patient,
    heart_outline,
    lung_outline,
)
from zerosight.synthesis.chests.canvas import make_canvas


@pytest.fixture(params=range(4))
def patient(request: pytest.FixtureRequest) -> Patient:
    return draw_patient(np.random.default_rng(request.param))


def test_the_heart_is_as_wide_as_the_ratio_says(patient: Patient) -> None:
    heart = heart_outline(patient)
    width = heart[:, 0].max() - heart[:, 0].min()
    lungs = np.concatenate([lung_outline(patient, side) for side in SIDES])
    chest = lungs[:, 0].max() - lungs[:, 0].min()
    assert width / (2 * patient.width) == pytest.approx(patient.ratio, abs=1e-6)
    assert width / chest == pytest.approx(patient.ratio, abs=0.02)
    assert 0.35 < patient.ratio < 0.5


def test_lungs_lie_on_their_sides_and_reach_apex_and_angle(patient: Patient) -> None:
    for number, side in enumerate(SIDES):
        outline = lung_outline(patient, side)
        outer = outline[:, 0] * (-1 if side == "right" else 1)
        assert outer.min() > 0
        assert outline[:, 1].min() == pytest.approx(patient.apex[number], abs=0.06)
        assert outline[outer.argmax(), 1] > patient.dome[number]


def test_a_place_lies_within_its_lung(patient: Patient) -> None:
    canvas = make_canvas(200)
    for side in SIDES:
        lung = canvas.area(lung_outline(patient, side))
        for across in (0.3, 0.5, 0.7):
            for down in (0.3, 0.6, 0.85):
                x, y = canvas.pixels(np.array([patient.place(side, across, down)]))[0]
                assert lung[int(y), int(x)] > 0.5


def test_a_lung_collapses_the_more_the_larger_the_amount(patient: Patient) -> None:
    canvas = make_canvas(160)
    whole = canvas.area(lung_outline(patient, "left"))
    shares = [
        float((canvas.area(collapsed(patient, "left", amount)) * whole).sum() / whole.sum())
        for amount in (0.0, 0.5, 1.0)
    ]
    assert 1 > shares[0] > shares[1] > shares[2] > 0.1


def test_the_edge_of_a_shifted_heart_moves_with_it() -> None:
    patient = draw_patient(np.random.default_rng(0))
    moved = heart_outline(replace(patient, shift=patient.shift + 0.1)) - heart_outline(patient)
    np.testing.assert_allclose(moved, np.broadcast_to([0.1, 0.0], moved.shape), atol=1e-9)
