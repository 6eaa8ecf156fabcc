"""Rows and findings: canonical labels, what can be judged, and patients on one side only."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.data.manifest import Manifest, ManifestHeader, Record, Skipped, write_manifest
from zerosight.errors import ConfigError, DataError
from zerosight.evaluate.findings.config import RowsConfig
from zerosight.evaluate.findings.selection import (
    Asked,
    Row,
    choose_findings,
    draw_patients,
    label_matrix,
    others_only,
    read_rows,
)


def row(image: str, patient: str | None = None, **labels: int | None) -> Row:
    return Row(image, patient, labels, "test", "frontal")


def test_rows_are_sorted_and_their_labels_canonical(tmp_path):
    records = [
        Record("b.png", labels={"Effusion": 0, "pleural effusion": 1, "Edema": None}, group="p"),
        Record("a.png", labels={"Effusion": None, "pleural effusion": 0}, category="lateral"),
        Record("c.png", split="train"),
    ]
    write_manifest(tmp_path / "m.jsonl", ManifestHeader("m", "."), records)
    with (tmp_path / "m.jsonl").open("a") as file:
        file.write("{}\n")
    chests = Manifest(tmp_path / "m.jsonl", ManifestHeader("m", "."))
    skipped = Skipped()
    first, second = read_rows(chests, ("test",), RowsConfig(), skipped)
    assert first == Row("a.png", None, {"pleural effusion": 0}, "test", "lateral")
    assert second.labels == {"pleural effusion": 1, "edema": None}
    assert skipped.count == 1
    with pytest.raises(DataError, match=r"m\.jsonl:5"):
        read_rows(chests, ("test",), RowsConfig(strict=True))


def test_what_can_be_judged_is_asked_in_the_packages_order():
    rows = [
        row("a", zebra=1, nodule=0, edema=0, hernia=0, mass=1, odd=1),
        row("b", zebra=0, nodule=1, edema=1, hernia=None, mass=1, odd=0),
    ]
    asked, left = choose_findings(rows, RowsConfig(), {"nodule", "edema", "zebra"})
    assert [one.name for one in asked] == ["nodule", "edema", "zebra"]
    assert left == {
        "mass": "without an image free of it",
        "hernia": "without an image that shows it",
        "odd": "without a description",
    }
    everything, left = choose_findings(rows, RowsConfig())
    assert "odd" in [one.name for one in everything]
    assert "odd" not in left


def test_a_label_may_be_held_against_another_findings_anchor():
    rows = [row("a", infiltration=1, **{"pleural effusion": 0})]
    config = RowsConfig(labels=("Effusion", " Infiltration = Airspace Opacity "))
    asked, _ = choose_findings(rows, config, ())
    assert asked == (
        Asked("Effusion", "pleural effusion", "pleural effusion"),
        Asked("Infiltration", "infiltration", "lung opacity"),
    )
    assert np.array_equal(label_matrix(rows, [one.label for one in asked]), [[0.0, 1.0]])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("nodul",), r"label 'nodul' is not in the data \(did you mean 'nodule'\?\); there are: nodule"),
        (("Nodule", "nodule=mass"), "labels 'Nodule' and 'nodule' are the same"),
        ((), "no label is named"),
        ((" ",), "no label is named"),
    ],
)
def test_mistakes_in_labels_are_told(labels, said):
    with pytest.raises(ConfigError, match=said):
        choose_findings([row("a", nodule=1)], RowsConfig(labels=labels))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("a"), row("b")], "none of 2 images has labels of findings"),
        (
            [row("a", nodule=1)],
            r"no finding can be judged on 1 images \(nodule: without an image free of it\)",
        ),
    ],
)
def test_nothing_to_judge_is_told(rows, said):
    with pytest.raises(DataError, match=said):
        choose_findings(rows, RowsConfig())


def test_neither_a_patient_nor_an_image_is_on_both_sides():
    judged = [row("a", "p"), row("b"), row("c", "q")]
    rows = [row("d", "p"), row("b", "r"), row("e"), row("c", "s"), row("f", "r")]
    assert [one.image for one in others_only(rows, judged)] == ["e", "f"]


def test_shares_hold_whole_patients_and_smaller_shares():
    rows = [row(f"{i}", f"p{i // 3}") for i in range(90)] + [row("alone")]
    everyone = {one.who for one in rows}
    before: set[str] = set()
    for share in (0.001, 0.1, 0.5, 1.0):
        drawn = draw_patients(rows, share, seed=3)
        who = {one.who for one in drawn}
        assert len(who) == max(1, int(np.ceil(share * len(everyone))))
        assert drawn == [one for one in rows if one.who in who]
        assert before <= {one.image for one in drawn}
        before = {one.image for one in drawn}
    assert drawn == rows
    assert draw_patients(rows[::-1], 0.1, 3)[::-1] == draw_patients(rows, 0.1, 3)
    assert draw_patients(rows, 0.1, 4) != draw_patients(rows, 0.1, 3)
