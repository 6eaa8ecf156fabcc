"""Samples: a function of seed and number; half of them clean; twins differ by their defect."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.errors import ConfigError
from zerosight.synthesis.surfaces import SynthesisConfig, make_sample
from zerosight.synthesis.surfaces.sample import Sampler

CONFIG = SynthesisConfig(size=96, seed=11)


def test_a_sample_depends_on_seed_and_number_alone() -> None:
    sampler = Sampler(CONFIG)
    for index in (5, 3):
        first, second = sampler.draw(index), make_sample(CONFIG, index)
        np.testing.assert_array_equal(first.image, second.image)
        np.testing.assert_array_equal(first.mask, second.mask)
        assert first.plan == second.plan
    other = make_sample(CONFIG.model_copy(update={"seed": 12}), 5)
    assert not np.array_equal(other.image, first.image)


def test_anomalous_samples_have_masks_and_clean_ones_none() -> None:
    sampler = Sampler(CONFIG)
    for index in range(30):
        sample = sampler.draw(index)
        assert sample.mask.any() == sample.plan.anomalous == bool(sample.defects)
        assert sample.mask.mean() < 0.6


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.3, 60), (0.5, 100), (1.0, 200)])
def test_the_share_of_anomalous_samples_is_met(share: float, expected: int) -> None:
    sampler = Sampler(CONFIG.model_copy(update={"anomalous_fraction": share}))
    assert sum(sampler.plan(i).anomalous for i in range(200)) == expected


def test_twins_share_base_and_split_and_differ_where_the_mask_is() -> None:
    sampler = Sampler(CONFIG.model_copy(update={"twin_fraction": 1.0}))
    near, far = [], []
    for index in range(0, 16, 2):
        clean, hit = sampler.draw(index), sampler.draw(index + 1)
        assert (clean.plan.base, clean.plan.split, clean.plan.category) == (
            hit.plan.base,
            hit.plan.split,
            hit.plan.category,
        )
        difference = np.abs(clean.image.astype(float) - hit.image).mean(axis=2)
        near.append(difference[hit.mask].mean())
        far.append(difference[~hit.mask].mean())
    assert np.mean(near) > 3 * np.mean(far)


def test_bases_are_split_as_asked() -> None:
    sampler = Sampler(CONFIG.model_copy(update={"twin_fraction": 0.0}))
    share = np.mean([sampler.plan(i).split == "val" for i in range(600)])
    assert share == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("values", [{"count": 0}, {"size": 8}, {"anomalous_fraction": 2}, {"sizes": 320}])
def test_bad_configurations_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        SynthesisConfig.parse(values)
