"""Cleaning reports: sections, marks of de-identification, length and language."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.data.chest.reports import MAX_CHARACTERS, clean_report

MIMIC = """
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___ year old woman with pneumonia  // follow up

 COMPARISON:  ___

 FINDINGS:

 Lungs are clear, compared with ___.  There is no
 pleural effusion.

 IMPRESSION:

 No acute cardiopulmonary process.
"""
OPEN_I = """<?xml version="1.0"?><eCitation><Abstract>
<AbstractText Label="COMPARISON">None.</AbstractText>
<AbstractText Label="FINDINGS">Heart &lt; normal. XXXX   clear.</AbstractText>
<AbstractText Label="IMPRESSION">Normal chest x-XXXX.</AbstractText></Abstract></eCitation>"""


def test_sections_of_mimic() -> None:
    report = clean_report(MIMIC)
    assert report.findings == "Lungs are clear, compared with. There is no pleural effusion."
    assert report.impression == "No acute cardiopulmonary process."
    assert report.text == f"{report.findings}\n\n{report.impression}"
    assert report.english
    assert not report.cut


def test_open_i() -> None:
    report = clean_report(OPEN_I)
    assert report.findings == "Heart < normal. clear."
    assert report.impression == "Normal chest x-ray."


@pytest.mark.parametrize(
    ("text", "findings", "impression"),
    [
        ("Clear lungs.", "Clear lungs.", ""),
        ("Findings and impression: Clear.", "Clear.", ""),
        ("CONCLUSION:\r\nClear.", "", "Clear."),
        ("FINDINGS: One.\nADDENDUM: no\nFINDINGS: Two.", "One. Two.", ""),
        ("INDICATION: cough.\n\nCOMPARISON: None.\n\nClear lungs.", "Clear lungs.", ""),
        ("INDICATION: cough.", "", ""),
        ("Seen by Dr. [**Last Name 7**] on ____.", "Seen by Dr. on.", ""),
        ("", "", ""),
        (" \n\t\0", "", ""),
    ],
)
def test_other_forms(text: str, findings: str, impression: str) -> None:
    report = clean_report(text)
    assert (report.findings, report.impression) == (findings, impression)


@pytest.mark.parametrize(
    "text",
    [
        "Pulmones sin infiltrados ni consolidaciones. No se observa derrame pleural ni neumotorax.",
        "Cardiomegalia. Signos de fallo cardiaco. Derrame pleural bilateral.",
        "Herz nicht vergrössert. Keine Pleuraergüsse, kein Infiltrat, kein Pneumothorax.",
        "Pas d'epanchement pleural. Silhouette cardiaque normale. Pas de foyer.",
        "肺野清晰,心影不大。",
    ],
)
def test_other_languages_are_flagged(text: str) -> None:
    assert not clean_report(text).english


@pytest.mark.parametrize(
    "text", ["Bibasilar atelectasis, small effusion, cardiomegaly", "Normal.", "No acute disease.", ""]
)
def test_terse_english_is_not(text: str) -> None:
    assert clean_report(text).english


@pytest.mark.parametrize(
    "unit", ["Clear lungs. ", "[**", "FINDINGS:\n", " ", "_X", "<AbstractText ", "\n \n"]
)
def test_a_megabyte_is_cut_and_fast(unit: str) -> None:
    start = time.perf_counter()
    report = clean_report(unit * (1_000_000 // len(unit)))
    assert report.cut
    assert len(report.text) <= MAX_CHARACTERS + 2
    assert time.perf_counter() - start < 2


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.text(max_size=30), st.sampled_from(["FINDINGS:", "\n", "XXXX", "___", "."]))))
def test_any_text_gives_plain_lines(parts: list[str]) -> None:
    report = clean_report("".join(parts))
    assert report.findings.isprintable()
    assert report.impression.isprintable()
    assert "__" not in report.text
