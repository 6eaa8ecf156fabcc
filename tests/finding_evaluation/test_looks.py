"""Looks: what survives the disk, and what makes the model look again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosight.data.manifest import read_manifest
from zerosight.errors import DataError, OutputError
from zerosight.finding_evaluation.config import RowsConfig
from zerosight.finding_evaluation.looks import LOOKS, UNUSABLE, Look, Looks
from zerosight.finding_evaluation.rows import read_rows
from zerosight.journal import Store
from zerosight.recognise import FindingPredictor

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=1, max_size=9), st.dictionaries(st.text(), numbers), st.text())
def test_a_look_survives_the_disk(feature, answers, image):
    look = Look(image, np.array(feature, np.float32), answers)
    again = Look.from_json(json.loads(json.dumps(look.to_json())))
    assert again.feature is not None
    assert np.array_equal(again.feature, np.array(feature, np.float32))
    assert (again.image, again.answers, again.problem) == (image, answers, "")


@pytest.mark.parametrize(
    "values",
    [
        *([], {}, {"image": 1, "feature": "AACAPw=="}, {"image": "a", "feature": "A"}),
        *({"image": "a", "feature": None}, {"image": "a", "feature": "AADAfw=="}),
        {"image": "a", "feature": "AACAPw==", "answers": {"edema": "yes"}},
        {"image": "a", "feature": "AACAPw==", "problem": "unreadable image", "detail": "gone"},
    ],
)
def test_a_line_that_is_no_look_is_refused(values):
    with pytest.raises(ValueError, match=r"."):
        Look.from_json(values)


def test_the_model_looks_once(predictor, studies, tmp_path, monkeypatch):
    chests = read_manifest(studies)
    rows = read_rows(chests, ("test",), RowsConfig())
    with Looks(predictor, chests, Store(tmp_path)) as looks:
        looks.take(rows[:10], RowsConfig(batch_size=3))
        first = looks.features(rows[:10])
    told: list[tuple[int, int]] = []
    looked: list[int] = []
    features = FindingPredictor.features
    monkeypatch.setattr(
        FindingPredictor, "features", lambda self, px: looked.append(len(px)) or features(self, px)
    )
    with Looks(predictor, chests, Store(tmp_path, resume=True)) as looks:
        looks.take(rows, RowsConfig(), (), lambda *numbers: told.append(numbers))
        assert np.array_equal(looks.features(rows)[:10], first)
        assert sum(looked) == len(rows) - 10
        looks.take(rows, RowsConfig())
        assert sum(looked) == len(rows) - 10
        looks.take(rows[:2], RowsConfig(), ["edema"])
        assert sum(looked) == len(rows) - 8
        assert looks.answers(rows[:2], ["edema"]).shape == (2, 1)
    assert (told[0], told[-1]) == ((10, 24), (24, 24))
    with pytest.raises(OutputError, match="holds an evaluation; resume or overwrite"):
        Looks(predictor, chests, Store(tmp_path))


def test_features_that_are_no_numbers_are_left_out(predictor, studies, monkeypatch):
    chests = read_manifest(studies)
    rows = read_rows(chests, ("val",), RowsConfig())
    monkeypatch.setattr(
        FindingPredictor, "features", lambda self, px: np.full((len(px), 16), np.nan, np.float32)
    )
    with Looks(predictor, chests, Store()) as looks:
        looks.take(rows, RowsConfig())
        assert {look.problem for look in looks.problems(rows)} == {UNUSABLE}
        with pytest.raises(DataError, match="features that are not finite"):
            looks.features(rows)
        with pytest.raises(DataError, match=r"24\.png: the model gave features"):
            looks.take(rows, RowsConfig(strict=True))
    assert not (studies.parent / LOOKS).exists()
