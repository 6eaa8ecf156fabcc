"""What parts cost: held to sums by hand, and the parts to the whole."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from zerosight.backbones.flops import count_flops
from zerosight.benchmark.vip2clip.efficiency import BASELINES, PUBLISHED, TOWER, benchmark_efficiency
from zerosight.benchmark.vip2clip.tables import tables
from zerosight.benchmark.vip2clip.workloads import WORKLOADS
from zerosight.models.vip2clip.scorer import PixelsToMap

pytestmark = pytest.mark.slow

TINY = dataclasses.replace(WORKLOADS["tiny"], pairs=1)


@pytest.fixture(scope="module")
def rows():
    return benchmark_efficiency(TINY)


def test_operations_of_small_parts_are_the_sums_by_hand(rows):
    model, _ = TINY.build()
    parts = {row.part: row for row in rows if row.method == "ViP²-CLIP"}
    dim, hidden, width, conditioned = 48, 384, 32, 3
    nets = conditioned * 2 * (dim * hidden + hidden * width)
    assert parts["ICA"].gflop * 1e9 == pytest.approx(nets)
    assert parts["ICA"].trainable == sum(p.numel() for p in model.ica.parameters())
    levels, patches, states = 4, 36, 2
    cosines = levels * 2 * patches * dim * states
    assert parts["UTPA: alignment, score"].gflop * 1e9 == pytest.approx(cosines)
    assert parts["FGP"].trainable == 4 * (dim * dim + dim)


def test_parts_add_up_to_the_whole(rows):
    model, _ = TINY.build()
    pixels = torch.zeros(1, 48, 48, 3, dtype=torch.uint8)
    network = PixelsToMap(model)
    whole = count_flops(lambda: network(pixels))
    parts = [row for row in rows if row.method in ("all", "ViP²-CLIP")]
    assert sum(row.gflop for row in parts) * 1e9 == pytest.approx(whole)
    assert all(row.milliseconds > 0 and row.tensors_mb > 0 for row in rows)


def test_every_baseline_stands_beside_it_and_others_numbers_are_told_apart(rows):
    assert {row.method for row in rows} == {"all", "ViP²-CLIP", *BASELINES}
    trainable = {row.method: row.trainable for row in rows if row.part == "method, score"}
    assert trainable["two prompts (CLIP)"] == trainable["ensemble (WinCLIP-like)"] == 0
    assert trainable["heads without text (UniADet-like)"] == 5 * (48 * 64 + 64 + 64 * 2 + 2)
    parts, whole, published = tables({"efficiency": [row.to_json() for row in rows]})
    assert f"| all | {TOWER} | 0 |" in parts
    assert "| ViP²-CLIP | " in whole
    assert all(f"| {name} | {value:g} |" in published for name, value in PUBLISHED.items())
