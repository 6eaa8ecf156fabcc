"""Stopping at the read layer."""

from __future__ import annotations

import pytest
import torch

from zerosight.benchmark.radz.depth import HEADLESS, STOPPED, WHOLE
from zerosight.benchmark.radz.plain import (
    headless_pass,
    image_rows,
    operations,
    random_pixels,
    stopped_pass,
    whole_pass,
)
from zerosight.benchmark.radz.workloads import random_llava


def test_operations_are_those_of_the_matrix_products():
    assert operations(lambda: torch.ones(3, 5) @ torch.ones(5, 7)) == 2 * 3 * 5 * 7
    assert operations(lambda: torch.ones(3) + 1) == 0


def test_counted_operations_are_those_of_the_formula(workload, result):
    width, inner, length = workload.sizes.width, 192, result.depth.length
    block = 2 * length * (4 * width**2 + 3 * width * inner) + 4 * length**2 * width
    head = 2 * length * width * workload.sizes.vocabulary
    rows = {row.name: row for row in result.depth.rows}
    assert rows[STOPPED].gigaflops * 1e9 == pytest.approx(2 * block, rel=0.01)
    assert rows[HEADLESS].gigaflops * 1e9 == pytest.approx(3 * block, rel=0.01)
    assert rows[WHOLE].gigaflops * 1e9 == pytest.approx(3 * block + head, rel=0.01)
    assert rows[STOPPED].expected == pytest.approx((block + head) / (3 * block + head), rel=0.01)


def test_savings_are_told_against_the_whole_pass(result):
    whole, headless, stopped = result.depth.rows
    assert (whole.expected, whole.measured) == (0, 0)
    assert (whole.layers, headless.layers, stopped.layers) == (3, 3, 2)
    assert 0 < headless.expected < stopped.expected < 1
    assert stopped.measured < 1


def test_the_states_that_are_read_are_the_same(workload, result):
    assert result.depth.max_difference < 1e-5
    mllm = random_llava(workload.sizes)
    with torch.inference_mode():
        rows = image_rows(mllm, mllm.see(torch.from_numpy(random_pixels(mllm, 2))))
        stopped, whole = stopped_pass(mllm, rows), whole_pass(mllm, rows)
        assert torch.allclose(stopped, whole, atol=1e-5)
        assert not torch.allclose(stopped, headless_pass(mllm, rows), atol=1e-2)


@pytest.mark.parametrize("layer", [-1, -3])
def test_any_layer_is_read_before_the_norm(workload, layer):
    mllm = random_llava(workload.sizes)
    mllm.config = mllm.config.model_copy(update={"read_layer": layer})
    mllm.layers = workload.sizes.layers + 1 + layer
    with torch.inference_mode():
        rows = image_rows(mllm, mllm.see(torch.from_numpy(random_pixels(mllm, 2))))
        assert torch.allclose(stopped_pass(mllm, rows), whole_pass(mllm, rows), atol=1e-5)


def test_rows_are_what_the_model_itself_reads(workload):
    mllm = random_llava(workload.sizes)
    with torch.inference_mode():
        seen = mllm.see(torch.from_numpy(random_pixels(mllm, 2)))
        closing = stopped_pass(mllm, image_rows(mllm, seen))[:, -mllm.config.cls_tokens :]
        assert torch.equal(closing, mllm.encode_images(seen).cls)
