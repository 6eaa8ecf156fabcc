"""What an image costs by number of findings."""

from __future__ import annotations

import pytest
import torch

from zerosight.benchmark.radz.counts import ask_one_by_one, finding_names, prepare
from zerosight.benchmark.radz.plain import random_pixels
from zerosight.benchmark.radz.workloads import scoring_model
from zerosight.predict.findings import FindingPredictor


def test_counted_operations_hardly_grow_with_the_findings(result):
    assert result.counts.rows[0].operations_ratio == 1
    assert 1 < result.counts.rows[-1].operations_ratio < 1.005


def test_ratios_are_taken_to_the_first_row(result):
    rows, first = result.counts.rows, result.counts.rows[0]
    assert (first.product_ratio, first.asked_ratio) == (1, 1)
    for row in rows:
        assert row.asked_ratio == pytest.approx(row.asked_seconds / first.asked_seconds)
        assert row.asked_over_product == pytest.approx(row.asked_seconds / row.product_seconds)
    assert rows[-1].asked_ratio > 1
    assert result.counts.noise > 0


def test_anchors_come_back_from_the_cache_faster_than_they_are_built(result):
    row = result.counts.rows[-1]
    assert 0 < row.read_seconds < row.build_seconds


def test_questions_in_a_batch_are_answered_as_one_by_one(workload):
    mllm = scoring_model(workload).model.mllm
    pixels, names = random_pixels(mllm, 1), finding_names(5)
    together, apart = (ask_one_by_one(mllm, pixels, names, batch) for batch in (3, 1))
    assert together.shape == (5,)
    assert torch.allclose(together, apart, atol=1e-5)
    assert ((together > 0) & (together < 1)).all()


def test_invented_findings_have_descriptions_of_their_own(workload):
    ready = prepare(FindingPredictor(scoring_model(workload)), 16)
    assert ready.question.names[-2:] == ("finding 15", "finding 16")
    assert not torch.equal(ready.question.anchors.presence[-1], ready.question.anchors.presence[-2])


def test_names_differ():
    assert len(set(finding_names(200))) == 200
    assert finding_names(1) == ("atelectasis",)
