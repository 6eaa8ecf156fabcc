"""The feature store: what survives the disk, and what makes the model look again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosight.data.manifest import ManifestHeader, Record, read_manifest, write_manifest
from zerosight.data.pixels import read_image
from zerosight.errors import DataError, OutputError
from zerosight.evaluate.findings.config import RowsConfig
from zerosight.evaluate.findings.feature_store import FEATURES, UNUSABLE, FeatureStore, ImageFeatures
from zerosight.evaluate.findings.selection import read_rows
from zerosight.journal import ResumePolicy
from zerosight.predict.findings import FindingPredictor

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=1, max_size=9), st.dictionaries(st.text(), numbers), st.text())
def test_a_look_survives_the_disk(feature, answers, image):
    look = ImageFeatures(image, np.array(feature, np.float32), answers)
    again = ImageFeatures.from_json(json.loads(json.dumps(look.to_json())))
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
        ImageFeatures.from_json(values)


def test_the_model_looks_once(predictor, studies, tmp_path, monkeypatch):
    chests = read_manifest(studies)
    rows = read_rows(chests, ("test",), RowsConfig())
    with FeatureStore(predictor, chests, ResumePolicy(tmp_path)) as store:
        store.collect(rows[:10], RowsConfig(batch_size=3))
        first = store.features(rows[:10])
    told: list[tuple[int, int]] = []
    looked: list[int] = []
    features = FindingPredictor.features
    monkeypatch.setattr(
        FindingPredictor, "features", lambda self, px: looked.append(len(px)) or features(self, px)
    )
    with FeatureStore(predictor, chests, ResumePolicy(tmp_path, resume=True)) as store:
        store.collect(rows, RowsConfig(), (), lambda *numbers: told.append(numbers))
        assert np.array_equal(store.features(rows)[:10], first)
        assert sum(looked) == len(rows) - 10
        store.collect(rows, RowsConfig())
        assert sum(looked) == len(rows) - 10
        store.collect(rows[:2], RowsConfig(), ["edema"])
        assert sum(looked) == len(rows) - 8
        assert store.answers(rows[:2], ["edema"]).shape == (2, 1)
    assert (told[0], told[-1]) == ((10, 24), (24, 24))
    with pytest.raises(OutputError, match="holds an evaluation; resume or overwrite"):
        FeatureStore(predictor, chests, ResumePolicy(tmp_path))


def test_every_image_keeps_its_own_features_whatever_cannot_be_read_beside_it(predictor, studies, tmp_path):
    chests = read_manifest(studies)
    names = ("03.png", "00.png", "gone.png", "02.png", "01.png")
    records = [Record(name, labels={"edema": 1}) for name in names]
    write_manifest(tmp_path / "holes.jsonl", ManifestHeader("holes", str(chests.root)), records)
    holes = read_manifest(tmp_path / "holes.jsonl")
    rows = read_rows(holes, ("test",), RowsConfig())
    with FeatureStore(predictor, holes, ResumePolicy()) as store:
        store.collect([rows[4], *rows[:4]], RowsConfig(batch_size=3))
        assert [failed.image for failed in store.failures(rows)] == ["gone.png"]
        for row in rows[:4]:
            pixels = predictor.model.mllm.preprocess.pixels(read_image(holes.resolve(row.image)))
            assert np.allclose(store[row.image].feature, predictor.features(pixels[None])[0], atol=1e-5)
        assert not np.allclose(store["00.png"].feature, store["01.png"].feature, atol=1e-3)


def test_features_that_are_no_numbers_are_left_out(predictor, studies, monkeypatch):
    chests = read_manifest(studies)
    rows = read_rows(chests, ("val",), RowsConfig())
    monkeypatch.setattr(
        FindingPredictor, "features", lambda self, px: np.full((len(px), 16), np.nan, np.float32)
    )
    with FeatureStore(predictor, chests, ResumePolicy()) as store:
        store.collect(rows, RowsConfig())
        assert {look.problem for look in store.failures(rows)} == {UNUSABLE}
        with pytest.raises(DataError, match="features that are not finite"):
            store.features(rows)
        with pytest.raises(DataError, match=r"24\.png: the model gave features"):
            store.collect(rows, RowsConfig(strict=True))
    assert not (studies.parent / FEATURES).exists()
