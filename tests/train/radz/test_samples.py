"""What is taken from manifests, what is left out and why, and the pairs of a step."""

from __future__ import annotations

from collections import Counter

import pytest

from zerosight.data.manifest import Record, read_manifest
from zerosight.errors import DataError
from zerosight.preprocess import Preprocess
from zerosight.train.radz.samples import Pair, PairBatch, Study, StudyData, check_patients, draw, read_studies

GERMAN = "Kein Nachweis eines Pleuraergusses. Das Herz ist normal gross. Keine Infiltrate in der Lunge."
PREPROCESS = Preprocess(16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "pad")


def read(*manifests, **changes):
    skipped = Counter()
    found = read_studies([read_manifest(path) for path in manifests], ("train",), skipped=skipped, **changes)
    return found, dict(skipped)


def row(image=0, **facts):
    return Record(f"{image}.png", split="train", **facts)


def test_splits_are_kept_apart_and_limited_by_seed(studies):
    every = read_studies((read_manifest(studies),), ("train",))
    assert len(every) == 24
    assert len(read_studies((read_manifest(studies),), ("val",))) == 16
    assert draw(every, None, 1) == draw(every, 99, 1) == every
    assert len(draw(every, 5, 1)) == 5
    assert draw(every, 5, 1) == draw(every, 5, 1) != draw(every, 5, 2)


def test_reports_that_are_of_no_use_are_left_out_and_counted(manifest):
    rows = manifest(
        row(text="FINDINGS: ___ \nIMPRESSION: XXXX"),
        row(text=""),
        row(text="No pleural effusion is seen. " * 1000),
        row(text=GERMAN),
        row(),
        row(text="INDICATION: cough. \nFINDINGS: Clear  lungs."),
    )
    found, skipped = read(rows)
    assert [study.report for study in found] == ["Clear lungs."]
    assert skipped == {
        "empty report": 2,
        "report of more than 20000 characters": 1,
        "report not in English": 1,
        "no report": 1,
    }


def test_findings_are_kept_out_with_all_that_speaks_of_them(manifest):
    rows = manifest(
        row(labels={"Effusion": 1, "edema": 0, "no finding": 0}),
        row(labels={"Effusion": 0, "edema": 1, "no finding": 0}),
        row(labels={"Effusion": 0, "edema": 0, "no finding": 1}),
        row(labels={"Effusion": 0}),
    )
    found, skipped = read(rows, text="labels", labels="manifest", kept_out=["Pleural effusion"])
    assert [study.labels for study in found] == [{"edema": 1}, {"edema": 0}]
    assert skipped == {"a finding that is kept out": 1, "no label": 1}


def test_sentences_stand_in_for_reports_where_that_is_asked_for(manifest):
    labels = {"Effusion": 0, "edema": None}
    rows = manifest(row(text=GERMAN, labels=labels), row(text="Clear lungs."), row(labels={"mass": None}))
    for text, kept, left in (
        ("both", ["", "Clear lungs."], {"no report": 1}),
        ("report", ["Clear lungs."], {"report not in English": 1, "no report": 1}),
    ):
        found, skipped = read(rows, text=text)
        assert ([study.report for study in found], skipped) == (kept, left)
    found, skipped = read(rows, text="labels", labels="manifest")
    assert [study.report for study in found] == [""]
    assert found[0].labels == {"pleural effusion": 0, "edema": None}
    assert found[0].known == {"pleural effusion"}
    assert skipped == {"no label": 2}


def test_labels_come_from_rows_or_from_what_reports_find_not_from_what_they_ask(manifest):
    text = "INDICATION: pneumonia? \nFINDINGS: Large left pleural effusion."
    rows = manifest(row(text=text, labels={"mass": 1}), row(text=text))
    own, read_by_rules = ({"mass"}, {"pleural effusion"})
    for labels, expected in (
        ("manifest", [own, set()]),
        ("report", [read_by_rules, read_by_rules]),
        ("both", [own, read_by_rules]),
    ):
        found, _ = read(rows, labels=labels)
        assert [set(study.diseases) for study in found] == expected
    [_, second], _ = read(rows)
    assert second.labels["pneumonia"] == 0


def test_labels_that_contradict_each_other_are_left_out(manifest):
    rows = manifest(
        row(text="Edema.", labels={"no finding": 1, "edema": 1}),
        row(text="Pacemaker.", labels={"no finding": 1, "support devices": 1}),
    )
    found, skipped = read(rows)
    assert len(found) == 1
    assert skipped == {"'no finding' beside a finding": 1}


def test_missing_images_are_counted_before_anything_runs(manifest):
    rows = manifest(row(text="Edema."), Record("gone.png", split="train", text="Mass."))
    with pytest.raises(DataError, match=r"gone\.png: is missing \(1 of 2 images are\)"):
        read(rows)


def test_a_patient_on_both_sides_is_refused_without_being_named(manifest):
    one = manifest(row(0, text="Edema.", group="miller"), row(1, text="Mass.", group="smith"), name="one")
    two = manifest(row(2, text="Edema.", group="miller"), row(3, text="Mass."), name="two")
    (left, _), (right, _) = read(one), read(two)
    with pytest.raises(DataError, match="1 of the held-out patients is in the training data") as error:
        check_patients(left, right)
    assert "miller" not in str(error.value)
    check_patients(left[1:], right)
    with pytest.raises(DataError, match="2 of the held-out patients are"):
        check_patients(right, right)  # without a group, an image is its own patient


def pairs_of(studies, text="report"):
    return StudyData(
        read_studies((read_manifest(studies),), ("train",), text), PREPROCESS, lambda key: None, text, 111
    )


def test_a_pair_holds_pixels_and_report(studies):
    pair = pairs_of(studies)[0, 1]
    assert pair.pixels.shape == (16, 16, 3)
    assert pair.text.startswith("There is a large right pleural effusion.")
    assert len(pair.key) == 64


def test_sentences_are_worded_anew_every_epoch_but_by_seed(studies):
    first, second = (pairs_of(studies, text="labels") for _ in range(2))
    texts = [first[epoch, 1].text for epoch in range(8)]
    assert texts == [second[epoch, 1].text for epoch in range(8)]
    assert len(set(texts)) > 2
    assert all("effusion" in text.lower() or "fluid" in text.lower() for text in texts)


def test_with_both_texts_an_epoch_draws_one(studies):
    both = pairs_of(studies, text="both")
    reports = [both[epoch, 1].text.startswith("There is a large right") for epoch in range(30)]
    assert 5 < sum(reports) < 25


def test_of_held_out_images_nothing_need_be_known(studies):
    image = studies.parent / "0.png"
    rows = [
        Study(image, "1", "", {}),
        Study(image, "2", "", {"edema": None}),
        Study(image, "3", "", {"no finding": 1, "edema": 1}),
    ]
    pairs = StudyData(rows, PREPROCESS, lambda key: None, "labels", 0)
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


def test_an_image_that_vanishes_is_named(tmp_path):
    pairs = StudyData(
        [Study(tmp_path / "gone.png", "1", "Clear.", {})], PREPROCESS, lambda key: None, "report", 0
    )
    with pytest.raises(DataError, match=r"gone\.png: cannot be read"):
        pairs[0, 0]
