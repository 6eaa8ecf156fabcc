"""The benchmarks, run small: agreement and shapes of the tables; speed is only looked at for its sign."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from zerosight.backbones.flops import count_flops
from zerosight.benchmark.machine import machine
from zerosight.benchmark.peak import GFLOP, product
from zerosight.benchmark.vip2clip.files import benchmark_files
from zerosight.benchmark.vip2clip.gpu import benchmark_gpu
from zerosight.benchmark.vip2clip.inference import benchmark_inference
from zerosight.benchmark.vip2clip.references import benchmark_references
from zerosight.benchmark.vip2clip.scaling import benchmark_scaling
from zerosight.benchmark.vip2clip.tables import tables
from zerosight.benchmark.vip2clip.ways import WAYS, check_ways, make_scorer
from zerosight.benchmark.vip2clip.workloads import WORKLOADS, pictures
from zerosight.errors import ConfigError
from zerosight.preprocess import Preprocess

pytestmark = pytest.mark.slow

TINY = dataclasses.replace(WORKLOADS["tiny"], pairs=1)


def test_every_way_is_held_to_the_plain_formulation(tmp_path):
    told: list[str] = []
    table = benchmark_inference(TINY, ("exact", "fast"), tmp_path, told.append)
    exact, fast = table.ways
    assert told == ["tiny: exact", "tiny: fast"]
    assert (exact.way, exact.batch, table.size) == ("exact", 4, 48)
    assert max(exact.score_difference, exact.map_difference) < 1e-5
    assert 0 < fast.score_difference < 0.05
    assert min(exact.speedup, fast.speedup, exact.seconds, table.outside, table.tower_seconds) > 0
    assert [row.numbers for row in table.ways] == ["fp32", "bf16"]
    assert all(0 < value < 1 for row in table.ways for value in (row.near, row.plain_near))
    assert 0 < table.gflop < table.plain_gflop
    [found] = tables({"inference": [table.to_json()]})
    assert [line.rpartition(" | ")[2][-3:] for line in found.splitlines()[5:]] == ["% |"] * 3


@pytest.mark.parametrize("numbers", ["fp32", "bf16", "int8"])
def test_the_limit_is_a_product_of_such_numbers(numbers):
    found = product(numbers)()
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int32}
    assert (found.shape, found.dtype) == ((2048, 2048), kinds[numbers])
    assert count_flops(product("fp32")) == GFLOP * 1e9


@pytest.mark.usefixtures("trace_once")
@pytest.mark.long
def test_exported_ways_are_made_once_and_kept(tmp_path):
    pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    model, _ = TINY.build()
    pixels = pictures(2, model.encoder.preprocess)
    expected = make_scorer("exact", TINY, model, tmp_path).score(pixels)
    found = make_scorer("openvino", TINY, model, tmp_path).score(pixels)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-4)
    written = (tmp_path / "tiny-fp32.xml").stat().st_mtime_ns
    assert make_scorer("openvino-fast", TINY, model, tmp_path).score(pixels)[0].shape == (2,)
    assert (tmp_path / "tiny-fp32.xml").stat().st_mtime_ns == written


def test_files_are_timed_from_jpeg_to_map(tmp_path):
    row = benchmark_files(TINY, "exact", tmp_path, count=6, size=(64, 48))
    assert (row.images, row.width, row.height) == (6, 64, 48)
    assert row.images_per_second > 0
    assert 0 < row.busy <= 1


def test_costs_are_listed_against_three_things(monkeypatch):
    monkeypatch.setattr("zerosight.benchmark.vip2clip.scaling.COUNTS", (2, 4))
    rows = benchmark_scaling(TINY)
    assert {row.against for row in rows} == {"batch size", "image size", "images"}
    assert all(row.milliseconds > 0 for row in rows)


def test_what_references_cost_is_told():
    row = benchmark_references(TINY, many=5)
    assert min(row.zero_shot, row.fit_seconds, row.fit_predictions, row.many_seconds) > 0
    [found] = tables({"references": [row.to_json()]})
    assert "| 5 fitted in" in found


def test_tables_hold_every_row():
    rows = [row.to_json() for row in _rows()]
    [found] = tables({"scaling": rows})
    assert found.splitlines()[2] == "| tiny | batch size | 4 | 1.5 | – |"
    assert len(found.splitlines()) == 2 + len(rows)


def _rows():
    from zerosight.benchmark.vip2clip.scaling import CostRow

    return [CostRow("tiny", "batch size", 4, 1.5, None), CostRow("tiny", "images", 8, 2.0, 12.3)]


def test_the_machine_is_named():
    found = machine()
    assert torch.__version__.startswith(found["torch"])
    assert found["cores"] >= 1


def test_pictures_are_the_same_for_the_same_seed():
    preprocess = Preprocess(32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    np.testing.assert_array_equal(pictures(2, preprocess), pictures(2, preprocess))
    assert np.ptp(pictures(1, preprocess)) > 50


def test_a_way_that_does_not_exist_is_refused():
    check_ways(list(WAYS))
    with pytest.raises(ConfigError, match=r"--way: 'fats' is not known \(did you mean 'fast'\?\)"):
        check_ways(["fats"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_gpu_benchmark_says_so():
    with pytest.raises(ConfigError, match="finds no NVIDIA GPU here"):
        benchmark_gpu(TINY)
