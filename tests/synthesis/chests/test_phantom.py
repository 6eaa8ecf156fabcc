"""Phantoms: deterministic, and each finding changes the picture where and as it should."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.errors import ConfigError
from zerosight.synthesis.chests import KINDS, Finding, draw_finding, make_phantom, plan_phantom
from zerosight.synthesis.chests.anatomy import draw_patient
from zerosight.synthesis.chests.canvas import make_canvas
from zerosight.synthesis.chests.opacities import Scene
from zerosight.synthesis.chests.pleura import pneumothorax
from zerosight.synthesis.chests.thorax import draw_thorax

SIZE = 160


def _contrast(finding: Finding, index: int) -> float:
    """Return how much brighter the picture is where the finding is, for the same patient."""
    ill, well = make_phantom(3, index, SIZE, [finding]), make_phantom(3, index, SIZE, [])
    mask = ill.masks[finding.name]
    assert mask.any()
    return float((ill.image.astype(float) - well.image)[mask].mean())


def test_the_same_numbers_make_the_same_phantom() -> None:
    one, two, other = make_phantom(5, 3, SIZE), make_phantom(5, 3, SIZE), make_phantom(5, 4, SIZE)
    np.testing.assert_array_equal(one.image, two.image)
    assert (one.report, one.labels, one.findings) == (two.report, two.labels, two.findings)
    assert not np.array_equal(one.image, other.image)
    plan = plan_phantom(5, 3)
    assert (plan.report, plan.labels, plan.findings) == (one.report, one.labels, one.findings)


@pytest.mark.parametrize("size", [64, 101, 320])
def test_pictures_use_the_range_of_grey_values(size: int) -> None:
    image = make_phantom(0, 1, size).image
    assert image.dtype == np.uint8
    assert image.shape == (size, size)
    assert image.std() > 25
    assert np.percentile(image, 98) - np.percentile(image, 2) > 100


def test_the_spine_is_brighter_than_the_lungs() -> None:
    for index in range(4):
        image = make_phantom(1, index, SIZE, []).image.astype(float)
        rows = slice(round(0.35 * SIZE), round(0.5 * SIZE))
        spine = image[rows, round(0.47 * SIZE) : round(0.53 * SIZE)].mean()
        sides = [image[rows, round(a * SIZE) : round((a + 0.08) * SIZE)].mean() for a in (0.30, 0.62)]
        assert spine > max(sides) + 20


WHITE = (
    *("pneumonia", "consolidation", "lung opacity", "infiltration", "pleural effusion", "nodule", "mass"),
    *(
        "atelectasis",
        "edema",
        "pleural thickening",
        "support devices",
        "covid-19",
        "tuberculosis",
        "fibrosis",
    ),
)


@pytest.mark.parametrize("name", WHITE)
def test_opacities_brighten_their_place(name: str) -> None:
    contrasts = [_contrast(draw_finding(np.random.default_rng(k), name), k) for k in range(2)]
    assert min(contrasts) > 1
    assert np.mean(contrasts) > 4


@pytest.mark.parametrize("name", ["pneumothorax", "emphysema"])
def test_air_darkens_its_place(name: str) -> None:
    contrasts = [_contrast(draw_finding(np.random.default_rng(k), name), k) for k in range(3)]
    assert max(contrasts) < 0


@pytest.mark.parametrize("side", ["right", "left"])
def test_fluid_fills_the_angle_of_its_side(side: str) -> None:
    finding = Finding("pleural effusion", side, "lower", 0.5, "meniscus")  # type: ignore[arg-type]
    ill, well = make_phantom(2, 1, SIZE, [finding]), make_phantom(2, 1, SIZE, [])
    mask = ill.masks["pleural effusion"]
    columns = np.flatnonzero(mask.any(axis=0))
    assert (columns.mean() < SIZE / 2) == (side == "right")
    outer = columns.min() if side == "right" else columns.max()
    inner = columns.max() if side == "right" else columns.min()
    top = [np.flatnonzero(mask[:, c]).min() for c in (outer + (4 if side == "right" else -4), inner)]
    assert top[0] < top[1]  # the meniscus is highest at the wall
    assert (ill.image.astype(float) - well.image)[mask].mean() > 15


def test_no_vessels_run_outside_a_collapsed_lung() -> None:
    finding = Finding("pneumothorax", "left", "apical", 0.6)
    for index in range(3):
        rng = np.random.default_rng(index)
        scene = Scene(draw_patient(rng), make_canvas(SIZE), rng)
        before = draw_thorax(scene.patient, scene.canvas, rng)
        after, free = pneumothorax(before, finding, scene)
        air_only = free > 0.99
        assert before.vessels[air_only].max() > 0.2
        assert after.vessels[air_only].max() < 0.01
        assert after.air[air_only].mean() > before.air[air_only].mean()


def test_cardiomegaly_passes_the_ratio_and_widens_the_shadow() -> None:
    for index in range(3):
        finding = draw_finding(np.random.default_rng(index), "cardiomegaly")
        ill, well = make_phantom(6, index, SIZE, [finding]), make_phantom(6, index, SIZE, [])
        assert ill.patient.ratio > 0.55 > 0.5 > well.patient.ratio
        assert ill.image.mean() > well.image.mean()


def test_collapse_raises_the_diaphragm_and_emphysema_lowers_it() -> None:
    well = make_phantom(7, 0, 64, []).patient
    up = make_phantom(7, 0, 64, [Finding("atelectasis", "right", "lower", 0.8, "collapse")]).patient
    down = make_phantom(7, 0, 64, [Finding("emphysema", "both", "all", 0.8)]).patient
    assert up.dome[0] < well.dome[0]
    assert up.dome[1] == well.dome[1]
    assert min(down.dome) > min(well.dome)
    assert down.depth < well.depth


@pytest.mark.parametrize("name", ["fracture", "hernia", "enlarged cardiomediastinum"])
def test_what_has_no_single_sign_still_changes_the_picture(name: str) -> None:
    finding = draw_finding(np.random.default_rng(0), name)
    ill, well = make_phantom(8, 0, SIZE, [finding]), make_phantom(8, 0, SIZE, [])
    assert np.abs(ill.image.astype(float) - well.image).max() > 10


@pytest.mark.parametrize("name", KINDS)
def test_every_pattern_of_every_finding_is_drawn(name: str) -> None:
    kind = KINDS[name]
    for pattern in dict.fromkeys(kind.patterns):
        for place in dict.fromkeys(kind.places):
            phantom = make_phantom(9, 0, 64, [Finding(name, kind.sides[-1], place, 1.0, pattern)])
            assert phantom.labels[name] == 1
            assert all(mask.any() for mask in phantom.masks.values())


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((-1, 0, 64), "seed -1"),
        ((0, -2, 64), "index -2"),
        ((0, 0, 63), "size 63"),
        ((0, 0, 4096), "size 4096"),
    ],
)
def test_numbers_out_of_range_are_errors(numbers: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_phantom(*numbers)
