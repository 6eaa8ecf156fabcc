"""Familiarity: a stated share of training-like images is refused, and of another world all are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zerosight.errors import DataError, WeightsError
from zerosight.models.catalog import architecture_of, card_of, copy_model, find_model
from zerosight.models.familiarity import (
    FAMILIARITY,
    FEWEST,
    Familiarity,
    among,
    fit_familiarity,
    load_familiarity,
    save_familiarity,
)


def world(count: int, seed: int) -> torch.Tensor:
    """Return features with one wide direction, like a set of images of one kind."""
    draw = torch.Generator().manual_seed(seed)
    wide = torch.randn(count, 1, generator=draw) * torch.linspace(1, 4, 20)
    return 3 + wide + 0.5 * torch.randn(count, 20, generator=draw)


@pytest.fixture(scope="module")
def fitted() -> Familiarity:
    return fit_familiarity(world(300, 0), world(400, 1), refused=0.05)


def test_distances_are_those_of_the_gaussian_written_out(fitted):
    looks = world(6, 2)
    covariance = fitted.rest * (torch.eye(20) - fitted.directions.T @ fitted.directions)
    covariance += fitted.directions.T @ torch.diag(fitted.variances) @ fitted.directions
    away = looks - fitted.mean
    expected = torch.einsum("bi, ij, bj -> b", away, torch.linalg.inv(covariance), away) / 20
    np.testing.assert_allclose(fitted.distances(looks), expected.numpy(), rtol=1e-3)


def test_the_stated_share_is_refused_and_another_world_is(fitted):
    refused = 1 - np.mean(fitted.is_familiar(world(4000, 3)))
    assert 0.02 < refused < 0.09
    assert not any(fitted.is_familiar(-world(50, 4)))
    assert fitted.is_familiar(fitted.mean[None]) == [True]


def test_it_is_kept_beside_a_model(fitted, tmp_path):
    save_familiarity(fitted, tmp_path)
    again = load_familiarity(tmp_path)
    looks = world(8, 5)
    np.testing.assert_array_equal(again.distances(looks), fitted.distances(looks))
    assert again.threshold == fitted.threshold
    (tmp_path / FAMILIARITY).write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="familiarity"):
        load_familiarity(tmp_path)


def test_too_few_images_are_refused():
    with pytest.raises(DataError, match="20 held-out ones to refuse"):
        fit_familiarity(world(30, 0), world(10, 1), refused=0.05)


def test_it_goes_where_the_weights_go(tmp_path: Path) -> None:
    copy_model("radz-tiny", card_of("radz-tiny").model_copy(update={"name": "mine"}), tmp_path / "mine")
    copied = architecture_of("radz-tiny").files_in(tmp_path / "mine")
    assert FAMILIARITY in copied
    assert copied == architecture_of("radz-tiny").files_in(find_model("radz-tiny"))


def test_a_few_images_choose_a_threshold_among_themselves():
    few, spread = world(40, 6), torch.full((20,), 2.0)
    found = among(few, spread)
    assert all(found.is_familiar(few))
    assert np.mean(found.is_familiar(world(1000, 7))) > 1 - 1 / 41
    assert not any(found.is_familiar(-world(50, 8)))
    assert among(few[: FEWEST - 1], spread) is None


def test_a_defect_in_images_that_are_all_alike_is_no_other_world():
    alike = 3 + 0.01 * torch.randn(16, 20, generator=torch.Generator().manual_seed(9))
    found = among(alike, torch.ones(20))
    defect, other = alike[:1] + 0.5, alike[:1] + 2
    assert found.distances(defect)[0] > 100 * found.threshold
    assert found.is_familiar(torch.cat([defect, other])) == [True, False]
