"""Memory of tensors, counted."""

from __future__ import annotations

import pytest
import torch

from zerosight.benchmark.memory import LiveTensors, cost

FLOATS = 1000
BYTES = 4 * FLOATS


def test_living_tensors_are_counted_and_dead_ones_are_not():
    with LiveTensors() as tensors:
        kept = torch.ones(FLOATS)
        for _ in range(5):
            kept = kept + 1
    assert (tensors.now, tensors.peak) == (BYTES, 2 * BYTES)
    del kept
    assert tensors.now == 0


def test_views_and_tensors_from_before_do_not_count():
    before = torch.ones(FLOATS)
    with LiveTensors() as tensors:
        views = [before.view(10, 100), before[5:], before.add_(1)]
        made = torch.zeros(FLOATS)
        views += [made.view(10, 100).T, made[::2], made.detach()]
    assert len(views) == 6
    assert (tensors.now, tensors.peak) == (BYTES, BYTES)


def test_what_a_graph_keeps_counts_until_it_is_gone_backward():
    weight = torch.ones(FLOATS, requires_grad=True)
    weight.grad = torch.zeros(FLOATS)
    with LiveTensors() as tensors:
        value = weight.exp().sin().exp().sum()  # each exp keeps its result, sin its input
        assert tensors.now == 2 * BYTES + 4
        value.backward()
        assert tensors.now == 4
    assert 2 * BYTES + 4 < tensors.peak <= 5 * BYTES


def test_a_piece_of_work_runs_twice_and_costs_what_it_takes():
    runs = []
    found = cost(lambda: runs.append(torch.zeros(2 * FLOATS, 1000).sum().item()))
    assert len(runs) == 2
    assert found.seconds > 0
    assert found.tensors_mb == pytest.approx(8, rel=1e-3)
    assert found.resident_mb is None or found.resident_mb >= 0


def test_an_error_leaves_the_block():
    with pytest.raises(RuntimeError), LiveTensors():
        torch.ones(2) @ torch.ones(3)
    assert torch.ones(2).sum() == 2
