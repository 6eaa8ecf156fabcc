"""A miniature of what is measured: the same code on a model of a moment."""

from __future__ import annotations

import pytest

from zerosight.benchmark.radz.run import RadzBenchmark, benchmark_radz
from zerosight.benchmark.radz.workloads import Sizes, Workload

MINIATURE = Sizes(layers=3, width=64, vocabulary=512, vision_layers=2, vision_width=64, image=32, patch=8)


@pytest.fixture(scope="session")
def workload() -> Workload:
    """Return a workload that takes about a second."""
    return Workload(
        sizes=MINIATURE,
        trained=MINIATURE,
        batches=(1, 2),
        counts=(1, 3, 16),
        rounds=2,
        count_rounds=2,
        pairs=12,
        chunk=2,
    )


@pytest.fixture(scope="session")
def result(workload: Workload) -> RadzBenchmark:
    """Return what is measured of it."""
    return benchmark_radz(workload)
