"""What a run is made of, and what it refuses to begin with."""

from __future__ import annotations

import pytest

from zerosight.data.manifest import Record
from zerosight.errors import DataError, ZerosightError
from zerosight.train.radz.material import read_material


def test_the_line_says_what_there_is(settings, tmp_path, studies, manifest):
    rows = manifest(Record("0.png", split="train", text=""), Record("1.png", split="val", labels={"mass": 1}))
    material = read_material(settings(tmp_path, data=(studies, rows)))
    assert material.summary() == (
        "24 pairs to train on, 16 held-out images of no finding, pleural effusion; held-out images "
        "whose labels cannot judge: 1 (a finding needs 5 with it and 5 without); skipped: 1 with empty report"
    )
    assert material.categories.names == material.judged.names == ("no finding", "pleural effusion")


def test_findings_used_are_those_present_those_judged_and_those_in_sentences(settings, tmp_path, manifest):
    train = [Record(f"{i}.png", split="train", labels={"edema": i, "mass": 0}, text="Wet.") for i in (0, 1)]
    val = [Record(f"{i}.png", split="val", labels={"hernia": i % 2}) for i in range(10, 20)]
    rows = manifest(*train, *val)
    assert read_material(settings(tmp_path, data=(rows,))).used == ("edema", "hernia")
    assert read_material(settings(tmp_path, data=(rows,), text="labels")).used == ("edema", "hernia", "mass")


def test_without_the_category_loss_findings_need_no_description(settings, tmp_path, manifest):
    rows = manifest(Record("0.png", split="train", labels={"dextrocardia": 1}, text="Mirrored."))
    with pytest.raises(ZerosightError, match="no description of 'dextrocardia'"):
        read_material(settings(tmp_path, data=(rows,)))
    assert read_material(settings(tmp_path, data=(rows,), weights={"category": 0})).categories is None


def test_own_descriptions_go_over_the_packages(settings, tmp_path, manifest):
    rows = manifest(Record("0.png", split="train", labels={"dextrocardia": 1}, text="Mirrored."))
    (tmp_path / "own.yaml").write_text("dextrocardia:\n  presence: [The heart lies on the right.]\n")
    material = read_material(settings(tmp_path, data=(rows,), anchors=tmp_path / "own.yaml"))
    assert material.categories.presence == (("The heart lies on the right.",),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": ("nothing",)}, r"in split nothing \(no images\); set 'splits' or 'text'"),
        ({"val_splits": ("train",)}, "24 of the held-out patients are in the training data too"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(settings, tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        read_material(settings(tmp_path, **changes))


def test_without_pairs_the_reasons_are_told(settings, tmp_path, manifest):
    rows = manifest(*(Record(f"{i}.png", split="train") for i in range(3)))
    with pytest.raises(DataError, match=r"nothing to pair an image with in split train \(3 with no report\)"):
        read_material(settings(tmp_path, data=(rows,)))
