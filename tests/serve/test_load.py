"""The server under load, beside the library; run by ``make test-serve``."""

from __future__ import annotations

import json

import pytest

from zerosight.benchmark.serve import benchmark_serve


@pytest.mark.slow
@pytest.mark.long
def test_no_answer_is_lost_or_wrong_under_load() -> None:
    row = benchmark_serve(clients=20, seconds=5.0, count=8)
    assert (row.lost, row.wrong, row.failed) == (0, 0, 0)
    assert row.images > 20
    json.dumps(row.to_json())
