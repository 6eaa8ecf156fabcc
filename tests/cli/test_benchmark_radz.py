"""``zerosight benchmark radz``: what is printed where."""

from __future__ import annotations

import json

import pytest

from zerosight.benchmark.radz.run import benchmark_radz
from zerosight.benchmark.radz.workloads import Sizes, Workload

pytestmark = pytest.mark.slow

MINIATURE = Sizes(layers=2, width=64, vocabulary=512, vision_layers=2, vision_width=64, image=32, patch=8)


@pytest.fixture
def asked(monkeypatch) -> list[Workload]:
    """Measure a miniature instead of what is asked for, and return what is asked for."""
    cases: list[Workload] = []

    def small(case, say):
        cases.append(case)
        say(f"measuring {case.model}")
        few = {"batches": (1,), "counts": (1, 2), "rounds": 1, "count_rounds": 1, "pairs": 4, "chunk": 2}
        return benchmark_radz(Workload(sizes=MINIATURE, trained=MINIATURE, **few), say)

    monkeypatch.setattr("zerosight.benchmark.radz.run.benchmark_radz", small)
    return cases


def test_json_goes_to_standard_output_and_progress_does_not(run, asked):
    status, out, said = run("benchmark", "radz", "--layers", "12", "--width", "256", "--json")
    assert status == 0, said
    told = json.loads(out)
    assert set(told) == {"machine", "models"}
    assert len(told["models"][0]["aims"]) == 3
    assert "measuring random:llava-like" in said
    assert (asked[0].sizes.layers, asked[0].sizes.width) == (12, 256)


def test_markdown_is_ready_to_paste(run, asked):
    status, out, said = run("benchmark", "radz", "--model", "a", "--model", "b", "--markdown")
    assert status == 0, said
    assert out.startswith("Measured on: system ")
    assert out.count("### From pixels to scores") == out.count("### Aims") == 2
    assert [case.model for case in asked] == ["a", "b"]


def test_without_a_wish_tables_go_to_the_terminal(run, asked):
    status, out, said = run("benchmark", "radz")
    assert (status, out) == (0, ""), said
    assert "Training steps" in said
    assert "Aims" in said


def test_bad_sizes_are_one_line(run):
    status, _, said = run("benchmark", "radz", "--layers", "1")
    assert (status, said.count("\n")) == (1, 1)
    assert "give at least 2" in said
