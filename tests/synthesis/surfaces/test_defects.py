"""Defects: every outline and filling works, stays near its place, and repeats."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.synthesis.surfaces import defects
from zerosight.synthesis.surfaces.fillings import FILLINGS
from zerosight.synthesis.surfaces.materials import Base
from zerosight.synthesis.surfaces.regions import REGIONS, site


def _base(size: int = 96) -> Base:
    picture = np.random.default_rng(2).uniform(0.3, 0.6, (size, size, 3)).astype(np.float32)
    foreground = np.zeros((size, size), dtype=bool)
    foreground[20:70, 30:80] = True
    return Base(picture, foreground)


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("radius", [0.03, 0.5])
def test_regions_are_opacities_about_their_centre(name: str, radius: float) -> None:
    area = [REGIONS[name](np.random.default_rng(s), 96, (0.0, 0.0), radius) for s in range(6)]
    assert all(a.dtype == np.float32 and a.min() >= 0 and a.max() <= 1.001 for a in area)
    assert max(float(a.sum()) for a in area) > 1
    if name in ("blob", "patch", "spots"):
        x = np.linspace(-1, 1, 96)
        mean_x = sum(float((a.sum(0) * x).sum()) for a in area) / sum(float(a.sum()) for a in area)
        assert abs(mean_x) < 0.3


@pytest.mark.parametrize("name", FILLINGS)
def test_fillings_change_the_picture(name: str) -> None:
    base = _base()
    alpha = REGIONS["blob"](np.random.default_rng(0), 96, (0.0, 0.0), 0.3)
    above = np.asarray(FILLINGS[name](np.random.default_rng(1), base, alpha))
    assert above.shape == base.picture.shape
    assert np.isfinite(above).all()
    assert np.abs(above - base.picture)[alpha > 0.5].max() > 0.01


@pytest.mark.parametrize("family", ["texture", "anatomy", "tissue"])
def test_damage_repeats_and_leaves_the_rest_alone(family: str) -> None:
    base = _base()
    for seed in range(12):
        (hit, alpha, name), (again, _, _) = (
            defects.damage(np.random.default_rng(seed), base, family) for _ in range(2)
        )
        np.testing.assert_array_equal(hit.picture, again.picture)
        np.testing.assert_array_equal(hit.picture[alpha == 0], base.picture[alpha == 0])
        assert name.count("/") == 1


def test_site_is_on_the_foreground() -> None:
    base = _base()
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = site(rng, base)
        assert base.foreground[round((y + 1) * 48), round((x + 1) * 48)]


def test_struck_is_the_plainest_of_defects() -> None:
    base = _base()
    hit, alpha, _ = defects.struck(np.random.default_rng(0), base)
    assert np.abs(hit.picture - base.picture)[alpha > 0.9].min() > 0.3
