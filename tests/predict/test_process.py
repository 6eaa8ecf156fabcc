"""Processes: a fork is told so at once, a copy that was sent elsewhere works there."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from zerosight.errors import ConfigError, ProcessError
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.scorer import tiny_scorer
from zerosight.predict.anomalies import Predictor
from zerosight.predict.process import HomeProcess
from zerosight.types import Prediction

IMAGE = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(tiny_scorer(), Vip2ClipCard(name="test"))


def refused_in_a_fork(work: Callable[[], object]) -> bool:
    """Return whether the work is refused in a fork of this process."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:
            os._exit(0 if isinstance(error, ProcessError) else 1)
        os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_is_refused_in_one_line(predictor: Predictor):
    list(predictor.predict(IMAGE))  # its threads are there
    assert refused_in_a_fork(lambda: list(predictor.predict(IMAGE)))
    assert refused_in_a_fork(lambda: list(predictor.tiled(16).predict(IMAGE)))


def test_another_process_is_not_ours(monkeypatch: pytest.MonkeyPatch):
    home = HomeProcess()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ProcessError, match="loaded before this process was forked"):
        home.check()
    pickle.loads(pickle.dumps(home)).check()


def test_a_pickled_predictor_says_the_same(predictor: Predictor):
    [before] = predictor.predict(IMAGE)
    [after] = pickle.loads(pickle.dumps(predictor)).predict(IMAGE)
    assert isinstance(before, Prediction)
    assert isinstance(after, Prediction)
    assert after.score == before.score
    assert np.array_equal(after.anomaly_map, before.anomaly_map)


@pytest.mark.parametrize("name", ["threshold", "pixel_threshold"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), float("inf")])
def test_a_threshold_that_no_score_reaches_is_refused(predictor: Predictor, name: str, value: float):
    with pytest.raises(ConfigError, match=rf"^{name}: is a number from 0 to 1, got {value!r}$"):
        list(predictor.predict(IMAGE, **{name: value}))


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_the_ends_are_thresholds(predictor: Predictor, value: float):
    [found] = predictor.predict(IMAGE, threshold=value, pixel_threshold=value)
    assert isinstance(found, Prediction)
    assert (found.threshold, found.pixel_threshold) == (value, value)
