from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zerosight.errors import ExportError
from zerosight.export.check import Agreement, compare
from zerosight.preprocess import Preprocess

SAME = Agreement(images=3, score=0.0, map=0.0, correlation=1.0)


class Brightness:
    """Scores by the mean of the pixels, moved by an offset."""

    preprocess = Preprocess(4, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = np.float32(offset)
        self.batches: list[int] = []

    def score(self, pixels):
        self.batches.append(len(pixels))
        maps = pixels.mean(-1, dtype=np.float32) / 255 + self.offset
        return maps.mean((1, 2)), maps


def test_differences_are_the_largest_over_single_images_and_batches():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    graph = Brightness(0.25)
    found = compare(Brightness(), graph, pixels)
    assert graph.batches == [1, 3, 2]
    assert found.score == pytest.approx(0.25, abs=1e-6)
    assert found.map == pytest.approx(0.25, abs=1e-6)
    assert found.correlation == pytest.approx(1)


def test_constant_maps_correlate_with_constant_maps_only():
    flat = np.full((2, 4, 4, 3), 7, np.uint8)
    assert compare(Brightness(), Brightness(0.1), flat).correlation == 1.0


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_agreement_passes_and_disagreement_or_nan_does_not(precision):
    SAME.check(precision)
    with pytest.raises(ExportError, match="scores differ"):
        replace(SAME, score=0.2).check(precision)
    with pytest.raises(ExportError, match="scores differ"):
        replace(SAME, score=float("nan")).check(precision)


def test_maps_of_int8_may_differ_if_they_correlate():
    replace(SAME, map=0.3, correlation=0.95).check("int8")
    replace(SAME, map=0.01, correlation=0.1).check("int8")
    with pytest.raises(ExportError, match="maps correlate by 0"):
        replace(SAME, map=0.3, correlation=0.5).check("int8")
    with pytest.raises(ExportError, match="maps differ"):
        replace(SAME, map=0.3).check("fp16")
