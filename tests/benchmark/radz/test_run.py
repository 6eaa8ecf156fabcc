"""The whole benchmark in miniature: what it tells, and when an aim counts as met."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from zerosight.benchmark.radz.run import aims, benchmark_radz
from zerosight.benchmark.radz.workloads import Workload
from zerosight.errors import WeightsError

pytestmark = pytest.mark.slow


def numbers(value: Any) -> Iterator[float]:
    """Run over all numbers in plain JSON values."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, int | float):
        yield value


def test_everything_is_told_as_plain_json(result):
    told = json.loads(json.dumps(result.to_json()))
    assert list(told) == ["model", "parameters", "speed", "counts", "depth", "steps", "aims"]
    assert all(map(math.isfinite, numbers(told)))
    assert [row["batch"] for row in told["speed"]] == [1, 2]
    assert [row["findings"] for row in told["counts"]["rows"]] == [1, 3, 16]
    assert [row["batch"] for row in told["steps"]["rows"]] == [2, 12, 12]
    assert told["parameters"] > 100_000


@pytest.mark.parametrize(
    ("ratio", "met"), [(1.0, True), (1.019, True), (0.981, True), (1.021, False), (0.97, False)]
)
def test_the_same_cost_is_within_two_percent_either_way(result, ratio, met):
    rows = [replace(row, product_ratio=1.0) for row in result.counts.rows]
    rows[-1] = replace(rows[-1], product_ratio=ratio)
    found, _, _ = aims(replace(result.counts, rows=rows), result.depth, result.steps)
    assert (found.found, found.met) == (ratio, met)
    assert found.name == "an image costs the same for 1, 3, 16 findings"


@pytest.mark.parametrize(("measured", "met"), [(0.2, True), (0.185, True), (0.17, False), (-0.1, False)])
def test_stopping_is_held_to_the_counted_saving(result, measured, met):
    rows = [*result.depth.rows[:-1], replace(result.depth.rows[-1], expected=0.2, measured=measured)]
    _, found, _ = aims(result.counts, replace(result.depth, rows=rows), result.steps)
    assert (found.found, found.met, found.wanted) == (measured, met, "at least 18.0%: counted, less 2%")


@pytest.mark.parametrize(("ratio", "met"), [(1.0, True), (1.1, True), (1.2, False)])
def test_cached_gradients_are_held_to_the_memory_of_the_small_batch(result, ratio, met):
    small, cached, large = result.steps.rows
    rows = [small, replace(cached, memory_ratio=ratio), large]
    _, _, found = aims(result.counts, result.depth, replace(result.steps, rows=rows))
    assert (found.found, found.met) == (ratio, met)
    assert found.name == "a batch of 12 with cached gradients takes the memory of a batch of 2"


def test_it_says_what_it_does_and_refuses_an_unknown_model_before_measuring():
    said: list[str] = []
    with pytest.raises(WeightsError, match="no-such-model"):
        benchmark_radz(Workload("no-such-model"), said.append)
    assert said == []
