"""The benchmark, run small: agreement and memory; the speed is only looked at for its sign."""

from __future__ import annotations

import pytest

from zerosight.benchmark.metrics import benchmark_metrics, synthetic_maps


@pytest.fixture(scope="module")
def result() -> dict[str, float]:
    return benchmark_metrics(images=6, size=64, repeats=1)


def test_both_engines_agree_with_the_classical_way(result):
    assert result["max_difference"] < 1e-4
    assert result["max_difference"] <= result["error_bound"]
    assert result["exact_max_difference"] < 1e-9


def test_ours_is_faster_and_needs_the_same_memory_for_more_maps(result):
    assert result["speedup"] == pytest.approx(result["reference_seconds"] / result["seconds"])
    assert result["speedup"] > 1
    assert result["peak_extra_mb"] < 1.5 * result["peak_extra_mb_half"] < 200


def test_maps_are_seeded_and_lie_between_zero_and_one():
    maps, masks = synthetic_maps(4, 32, seed=1)
    again, _ = synthetic_maps(4, 32, seed=1)
    assert (maps == again).all()
    assert 0 < maps.min() < maps.max() < 1
    assert masks.any(axis=(1, 2)).tolist() == [False, True, True, False]
