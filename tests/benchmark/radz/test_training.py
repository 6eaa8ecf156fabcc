"""Training steps on large batches."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def test_cached_gradients_are_those_of_one_graph(result):
    assert result.steps.max_difference < 1e-4


def test_memory_of_one_graph_grows_with_the_batch_and_that_of_cached_gradients_does_not(result):
    small, cached, large = result.steps.rows
    assert (small.chunk, cached.chunk, large.chunk) == (2, 2, 12)
    assert cached.tensors_mb < 1.2 * small.tensors_mb
    assert large.tensors_mb > 1.5 * cached.tensors_mb


def test_ratios_are_taken_to_the_small_batch_and_to_one_graph(result):
    small, cached, large = result.steps.rows
    assert small.memory_ratio == 1
    for row in (cached, large):
        assert row.memory_ratio == pytest.approx(row.tensors_mb / small.tensors_mb)
    assert result.steps.time_ratio == pytest.approx(cached.seconds / large.seconds)
