"""Descriptors of lite's tower, against loops over patches."""

from __future__ import annotations

import pytest
import torch

from zerosight.backbones.lite_tower import LEVELS, describe, on_grid

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stages() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, width, 10, 10, generator=generator) for width in (3, 4, 5)]


def rms(left: torch.Tensor, right: torch.Tensor) -> float:
    return float((left - right).square().mean().sqrt())


def test_descriptors_equal_a_loop(stages):
    found = describe(stages)
    assert tuple(found) == LEVELS
    stage = stages[1]
    for row, column in ((0, 0), (4, 7), (9, 2)):
        patch = stage[1, :, row, column]
        distances, elsewhere, across = [], [], []
        for r in range(10):
            for c in range(10):
                apart = max(abs(r - row), abs(c - column))
                distances.append(rms(patch, stage[1, :, r, c]))
                if apart > 2:
                    elsewhere.append(distances[-1])
                if apart <= 1:
                    across.append(rms(patch, stage[1, :, r, 9 - c]))
        rows = slice(max(0, row - 3), row + 4)
        columns = slice(max(0, column - 3), column + 4)
        expected = [
            rms(patch, stage[1].mean((1, 2))),
            rms(patch, stage[1, :, rows, columns].mean((1, 2))),
            sum(sorted(elsewhere)[:5]) / 5,
            sum(sorted(elsewhere)[:40]) / 40,
            sum(distances) / 100,
        ]
        index = row * 10 + column
        assert found["rarity"][1, index, 5:10].tolist() == pytest.approx(expected, abs=1e-4)
        assert float(found["symmetry"][1, index, 1]) == pytest.approx(min(across), abs=1e-4)


def test_channels_are_passed_on(stages):
    found = describe(stages)
    assert torch.equal(found["fine"][0, 23], torch.cat([stages[0][0, :, 2, 3], stages[1][0, :, 2, 3]]))
    assert torch.equal(found["deep"][0, 23], stages[2][0, :, 2, 3])


def test_a_symmetric_image_has_no_asymmetry_and_an_odd_patch_is_rare():
    stage = torch.randn(1, 6, 10, 10, generator=torch.Generator().manual_seed(1)) * 0.1
    stage = stage + stage.flip(-1)
    assert describe([stage] * 3)["symmetry"].max() < 0.01
    stage[0, :, 3, 2] += 3
    found = describe([stage] * 3)
    assert int(found["symmetry"][0, :, 0].argmax()) in (32, 37)  # the patch or its mirror image
    assert all(int(column.argmax()) == 32 for column in found["rarity"][0].T)


def test_stages_are_averaged_down_or_interpolated_up():
    stage = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert on_grid(stage, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert on_grid(stage, 8).shape[-1] == 8
    assert torch.equal(on_grid(stage, 4), stage)
