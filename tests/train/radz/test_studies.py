"""What is taken from manifests, and what is left out and why."""

from __future__ import annotations

from collections import Counter

import pytest

from zerosight.data.manifest import Record
from zerosight.errors import DataError
from zerosight.train.radz.studies import check_patients, draw, read_studies

GERMAN = "Kein Nachweis eines Pleuraergusses. Das Herz ist normal gross. Keine Infiltrate in der Lunge."


def read(settings, tmp_path, *manifests, **changes):
    skipped = Counter()
    found = read_studies(settings(tmp_path, data=manifests, **changes), ("train",), skipped)
    return found, dict(skipped)


def row(image=0, **facts):
    return Record(f"{image}.png", split="train", **facts)


def test_splits_are_kept_apart_and_limited_by_seed(settings, tmp_path):
    every = read_studies(settings(tmp_path), ("train",))
    assert len(every) == 24
    assert len(read_studies(settings(tmp_path), ("val",))) == 16
    assert draw(every, None, 1) == draw(every, 99, 1) == every
    assert len(draw(every, 5, 1)) == 5
    assert draw(every, 5, 1) == draw(every, 5, 1) != draw(every, 5, 2)


def test_reports_that_are_of_no_use_are_left_out_and_counted(settings, tmp_path, manifest):
    rows = manifest(
        row(text="FINDINGS: ___ \nIMPRESSION: XXXX"),
        row(text=""),
        row(text="No pleural effusion is seen. " * 1000),
        row(text=GERMAN),
        row(),
        row(text="INDICATION: cough. \nFINDINGS: Clear  lungs."),
    )
    found, skipped = read(settings, tmp_path, rows)
    assert [study.report for study in found] == ["Clear lungs."]
    assert skipped == {
        "empty report": 2,
        "report of more than 20000 characters": 1,
        "report not in English": 1,
        "no report": 1,
    }


def test_sentences_stand_in_for_reports_where_that_is_asked_for(settings, tmp_path, manifest):
    labels = {"Effusion": 0, "edema": None}
    rows = manifest(row(text=GERMAN, labels=labels), row(text="Clear lungs."), row(labels={"mass": None}))
    for text, kept, left in (
        ("both", ["", "Clear lungs."], {"no report": 1}),
        ("report", ["Clear lungs."], {"report not in English": 1, "no report": 1}),
    ):
        found, skipped = read(settings, tmp_path, rows, text=text)
        assert ([study.report for study in found], skipped) == (kept, left)
    found, skipped = read(settings, tmp_path, rows, text="labels", labels="manifest")
    assert [study.report for study in found] == [""]
    assert found[0].labels == {"pleural effusion": 0, "edema": None}
    assert found[0].known == {"pleural effusion"}
    assert skipped == {"no label": 2}


def test_labels_come_from_rows_or_from_what_reports_find_not_from_what_they_ask(settings, tmp_path, manifest):
    text = "INDICATION: pneumonia? \nFINDINGS: Large left pleural effusion."
    rows = manifest(row(text=text, labels={"mass": 1}), row(text=text))
    own, read_by_rules = ({"mass"}, {"pleural effusion"})
    for labels, expected in (
        ("manifest", [own, set()]),
        ("report", [read_by_rules, read_by_rules]),
        ("both", [own, read_by_rules]),
    ):
        found, _ = read(settings, tmp_path, rows, labels=labels)
        assert [set(study.diseases) for study in found] == expected
    [_, second], _ = read(settings, tmp_path, rows)
    assert second.labels["pneumonia"] == 0


def test_labels_that_contradict_each_other_are_left_out(settings, tmp_path, manifest):
    rows = manifest(
        row(text="Edema.", labels={"no finding": 1, "edema": 1}),
        row(text="Pacemaker.", labels={"no finding": 1, "support devices": 1}),
    )
    found, skipped = read(settings, tmp_path, rows)
    assert len(found) == 1
    assert skipped == {"'no finding' beside a finding": 1}


def test_missing_images_are_counted_before_anything_runs(settings, tmp_path, manifest):
    rows = manifest(row(text="Edema."), Record("gone.png", split="train", text="Mass."))
    with pytest.raises(DataError, match=r"gone\.png: is missing \(1 of 2 images are\)"):
        read(settings, tmp_path, rows)


def test_a_patient_on_both_sides_is_refused_without_being_named(settings, tmp_path, manifest):
    one = manifest(row(0, text="Edema.", group="miller"), row(1, text="Mass.", group="smith"), name="one")
    two = manifest(row(2, text="Edema.", group="miller"), row(3, text="Mass."), name="two")
    (left, _), (right, _) = read(settings, tmp_path, one), read(settings, tmp_path, two)
    with pytest.raises(DataError, match="1 of the held-out patients is in the training data") as error:
        check_patients(left, right)
    assert "miller" not in str(error.value)
    check_patients(left[1:], right)
    with pytest.raises(DataError, match="2 of the held-out patients are"):
        check_patients(right, right)  # without a group, an image is its own patient
