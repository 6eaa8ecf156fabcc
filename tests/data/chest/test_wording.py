"""Reports: they state what is present, deny only what is absent, and read like sentences."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.data.chest.extract import report_labels
from zerosight.data.chest.names import FINDINGS, IMPLIES, NO_FINDING
from zerosight.data.chest.wording import mentions, report_sentences, words
from zerosight.errors import DataError
from zerosight.synthesis.chests import plan_phantom

DENIED = re.compile(
    r"\b(?:no|without|negative|free of|clear of|not|normal)\b|sharp|unremarkable|intact", re.IGNORECASE
)


def _sentences(report: str) -> list[str]:
    return re.split(r"(?<=\.)\s+", re.sub(r"(?:Findings|Impression):|\b\d\.(?=\s)", "", report))


def _stated(report: str) -> set[str]:
    """Return the findings that a sentence names without denying them."""
    plain = [sentence for sentence in _sentences(report) if not DENIED.search(sentence)]
    return {name for name in words().findings if any(mentions(sentence, name) for sentence in plain)}


def _denied(report: str) -> set[str]:
    there = [sentence for sentence in _sentences(report) if DENIED.search(sentence)]
    return {name for name in words().findings if any(mentions(sentence, name) for sentence in there)}


def test_reports_of_phantoms_state_exactly_what_is_present() -> None:
    for index in range(600):
        plan = plan_phantom(11, index)
        present = {name for name, value in plan.labels.items() if value == 1} - {NO_FINDING}
        open_ = {name for name, value in plan.labels.items() if value is None}
        stated = _stated(plan.report)
        assert present <= stated, plan.report
        assert stated - present <= open_, plan.report
        assert not _denied(plan.report) & (present - {"lung lesion"}), plan.report


def test_the_extractor_reads_the_labels_back() -> None:
    for index in range(150):
        plan = plan_phantom(14, index)
        read = report_labels(plan.report)
        known = {name: value for name, value in plan.labels.items() if value is not None}
        assert {name: read[name] for name in known} == known, plan.report


def test_sides_and_places_are_told() -> None:
    told = 0
    for index in range(300):
        plan = plan_phantom(12, index)
        for finding in plan.findings:
            other = {"right": "left", "left": "right"}.get(finding.side)
            if other and len(plan.findings) == 1:
                told += finding.side in plan.report
                assert not re.search(rf"\b{other}\b", plan.report), plan.report
    assert told > 40


def test_sentences_are_whole() -> None:
    for index in range(400):
        report = plan_phantom(13, index).report
        assert report.startswith("Findings: ")
        assert "\nImpression: " in report
        assert not re.search(r"[{}*]|  |\s[.,]|\.\.|\ba [aeiou]|\ban [^aeiouh]", report), report
        assert all(re.match(r"\s*(?:[A-Z]|$)", sentence) for sentence in _sentences(report)), report
        assert len(report) < 1200


def test_wordings_vary_and_follow_the_generator() -> None:
    labels = {"edema": 1, "pneumothorax": 0}
    reports = [report_sentences(labels, np.random.default_rng(k)) for k in range(40)]
    assert len(set(reports)) > 30
    assert reports[3] == report_sentences(labels, np.random.default_rng(3))


@pytest.mark.parametrize("name", [name for name in FINDINGS if name != NO_FINDING])
def test_every_finding_alone_is_stated(name: str) -> None:
    implied = set(IMPLIES.get(name, ()))
    for k in range(25):
        report = report_sentences(
            {other: int(other in {name, *implied}) for other in FINDINGS}, np.random.default_rng(k)
        )
        assert name in _stated(report), report
        assert "normal chest" not in report.lower() or name == "support devices"


@settings(max_examples=60, deadline=None)
@given(
    labels=st.dictionaries(
        st.sampled_from([n for n in FINDINGS if n != NO_FINDING]), st.sampled_from([0, 1, None])
    ),
    seed=st.integers(0, 99),
)
def test_any_labels_are_stated(labels: dict[str, int | None], seed: int) -> None:
    labels[NO_FINDING] = 0
    report = report_sentences(labels, np.random.default_rng(seed))
    present = {name for name, value in labels.items() if value == 1}
    assert present <= _stated(report), report
    sure = {name for name, value in labels.items() if value == 1 or value is None} | set(labels)
    assert _denied(report) & present <= {"lung lesion", "lung opacity", "pneumonia", "pleural other"}, report
    assert sure


def test_normal_labels_make_a_normal_report() -> None:
    for k in range(20):
        report = report_sentences({"No Finding": 1}, np.random.default_rng(k))
        assert not _stated(report), report


def test_names_of_other_data_sets_are_worded_as_they_are() -> None:
    report = report_sentences({"Effusion": 1, "Situs_inversus": 1}, np.random.default_rng(0))
    assert "situs inversus" in report.lower()
    assert mentions(report, "pleural effusion")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({}, "no label is known"),
        ({"edema": None}, "no label is known"),
        ({"edema": 2}, "should be 1, 0 or null"),
        ({"No Finding": 1, "Edema": 1}, "contradicts 'edema'"),
    ],
)
def test_labels_that_say_nothing_or_contradict_are_errors(
    labels: dict[str, int | None], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        report_sentences(labels, np.random.default_rng(0))
