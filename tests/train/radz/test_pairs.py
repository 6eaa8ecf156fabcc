from __future__ import annotations

import pytest

from zerosight.errors import DataError
from zerosight.preprocess import Preprocess
from zerosight.train.radz.pairs import Pair, PairBatch, StudyData
from zerosight.train.radz.studies import Study, read_studies

PREPROCESS = Preprocess(16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "pad")


def data(settings, tmp_path, **changes):
    config = settings(tmp_path, **changes)
    return StudyData(read_studies(config, ("train",)), PREPROCESS, lambda key: None, config)


def test_a_pair_holds_pixels_and_report(settings, tmp_path):
    pair = data(settings, tmp_path)[0, 1]
    assert pair.pixels.shape == (16, 16, 3)
    assert pair.text.startswith("There is a large right pleural effusion.")
    assert len(pair.key) == 64


def test_sentences_are_worded_anew_every_epoch_but_by_seed(settings, tmp_path):
    first, second = (data(settings, tmp_path, text="labels") for _ in range(2))
    texts = [first[epoch, 1].text for epoch in range(8)]
    assert texts == [second[epoch, 1].text for epoch in range(8)]
    assert len(set(texts)) > 2
    assert all("effusion" in text.lower() or "fluid" in text.lower() for text in texts)


def test_with_both_texts_an_epoch_draws_one(settings, tmp_path):
    both = data(settings, tmp_path, text="both")
    reports = [both[epoch, 1].text.startswith("There is a large right") for epoch in range(30)]
    assert 5 < sum(reports) < 25


def test_of_held_out_images_nothing_need_be_known(settings, tmp_path, studies):
    image = studies.parent / "0.png"
    rows = [
        Study(image, "1", "", {}),
        Study(image, "2", "", {"edema": None}),
        Study(image, "3", "", {"no finding": 1, "edema": 1}),
    ]
    pairs = StudyData(rows, PREPROCESS, lambda key: None, settings(tmp_path, text="labels"))
    assert [pairs[0, i].text for i in range(3)] == ["", "", ""]


def test_equal_texts_have_equal_numbers_and_categories_are_in_order():
    pairs = [
        Pair("", None, None, text, labels)
        for text, labels in (("a", {"edema": 1}), ("b", {"edema": 0, "mass": 1}), ("a", {"mass": None}))
    ]
    batch = PairBatch(pairs)
    ids = batch.text_ids
    assert ids[0] == ids[2] != ids[1]
    assert batch.multi_hot(("mass", "edema")).int().tolist() == [[0, 1], [1, 0], [0, 0]]
    assert batch.multi_hot(()).shape == (3, 0)


def test_an_image_that_vanishes_is_named(settings, tmp_path):
    pairs = StudyData(
        [Study(tmp_path / "gone.png", "1", "Clear.", {})], PREPROCESS, lambda key: None, settings(tmp_path)
    )
    with pytest.raises(DataError, match=r"gone\.png: cannot be read"):
        pairs[0, 0]
