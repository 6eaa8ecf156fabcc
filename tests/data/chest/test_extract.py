"""Findings in text: what is affirmed, denied and doubted, and that no text takes long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.data.chest.extract import extract_labels, find_mentions, label_records, report_labels
from zerosight.data.chest.names import FINDINGS, NO_FINDING, canonical
from zerosight.data.rows import Record


@pytest.mark.parametrize(
    ("text", "finding", "label"),
    [
        ("There is a small left pleural effusion.", "pleural effusion", 1),
        ("No focal consolidation, pleural effusion, or pneumothorax.", "pneumothorax", 0),
        ("Negative for pneumothorax.", "pneumothorax", 0),
        ("Pneumothorax is not seen.", "pneumothorax", 0),
        ("No pneumothorax, but there is a small effusion.", "pleural effusion", 1),
        ("No effusion. Stable cardiomegaly.", "cardiomegaly", 1),
        ("The heart is mildly enlarged.", "cardiomegaly", 1),
        ("The heart is not enlarged.", "cardiomegaly", 0),
        ("Heart size is borderline.", "cardiomegaly", None),
        ("Possible right lower lobe pneumonia.", "pneumonia", None),
        ("Opacity may represent pneumonia or atelectasis.", "atelectasis", None),
        ("Opacity may represent pneumonia or atelectasis.", "lung opacity", 1),
        ("Pneumonia cannot be excluded.", "pneumonia", None),
        ("Atelectasis versus scar.", "atelectasis", None),
        ("No opacity to suggest pneumonia.", "pneumonia", 0),
        ("No significant change in the left effusion.", "pleural effusion", 1),
        ("History of tuberculosis.", "tuberculosis", 0),
        ("Findings consistent with COVID-19 pneumonia.", "covid-19", 1),
        ("Possible nodule. Nodule confirmed in the left apex.", "nodule", 1),
        ("Nodule in the left apex.", "lung lesion", 1),
        ("Subcutaneous emphysema.", "emphysema", 0),
        ("Large pericardial effusion.", "pleural effusion", 0),
        ("Cystic fibrosis.", "fibrosis", 0),
        ("The right PICC line has been removed.", "support devices", 0),
        ("Right-sided Port-A-Cath.", "support devices", 1),
        ("Lungs:no consolidation.Heart normal.", "consolidation", 0),
        ("ATELECTASIS", "atelectasis", 1),
    ],
)
def test_what_sentences_say(text: str, finding: str, label: int | None) -> None:
    assert extract_labels(text)[finding] == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Normal chest.", 1),
        ("No acute disease. Endotracheal tube in place.", 1),
        ("Possible pneumonia.", 0),
        ("Small effusion.", 0),
        ("", None),
        ("  \n", None),
    ],
)
def test_no_finding_is_no_disease_at_all(text: str, label: int | None) -> None:
    assert extract_labels(text)[NO_FINDING] == label


def test_mentions_quote_their_sentence() -> None:
    first, second = find_mentions("Clear.  No\npneumothorax. Possible mass.")
    assert (first.finding, first.status, first.sentence) == ("pneumothorax", "absent", "No pneumothorax")
    assert (second.finding, second.status, second.words) == ("mass", "uncertain", "mass")


def test_whole_reports_are_cleaned_and_other_languages_left_open() -> None:
    labels = report_labels("INDICATION: pneumonia.\nIMPRESSION: Cardiomegaly.")
    assert labels["pneumonia"] == 0
    assert labels["cardiomegaly"] == 1
    spanish = report_labels("Cardiomegalia. Signos de fallo cardiaco. Derrame pleural bilateral.")
    assert set(spanish.values()) == {None}
    assert tuple(spanish) == FINDINGS


def test_rows_with_a_report_and_no_labels_get_some() -> None:
    rows = [
        Record("a.png", text="Small effusion."),
        Record("b.png", text="Small effusion.", labels={"edema": 1}),
        Record("c.png"),
    ]
    first, *others = label_records(rows)
    assert first.labels["pleural effusion"] == 1
    assert first.labels["edema"] == 0
    assert others == rows[1:]
    assert Record.from_json(first.to_json()) == first


@pytest.mark.parametrize("unit", ["no pneumonia ", "heart ", "heart-", "possible or ", "x", "is not seen "])
def test_a_sentence_without_end_is_fast(unit: str) -> None:
    start = time.perf_counter()
    labels = extract_labels(unit * (200_000 // len(unit)))
    assert time.perf_counter() - start < 5
    assert tuple(labels) == FINDINGS


words = st.sampled_from(["no", "possible", "not seen", "effusion", "heart", "enlarged", ",", ".", "but", "-"])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.one_of(words, st.text(max_size=8))))
def test_any_text_gives_every_label(parts: list[str]) -> None:
    labels = extract_labels(" ".join(parts))
    assert tuple(labels) == FINDINGS
    assert all(label in (0, 1, None) for label in labels.values())
    assert labels[NO_FINDING] != 1 or 1 not in {labels["pleural effusion"], labels["cardiomegaly"]}


@pytest.mark.realdata
def test_notes_of_other_hospitals_are_read_without_trouble(realdata: Path) -> None:
    import csv

    with (realdata / "covid_notes" / "metadata.csv").open(encoding="utf-8") as file:
        notes = [row["clinical_notes"] for row in csv.DictReader(file)]
    found = {canonical(mention.finding) for note in notes for mention in find_mentions(note)}
    assert {"covid-19", "pneumonia", "consolidation"} <= found <= set(FINDINGS)
