"""The outputs: three files that say the same, a page that stands alone, policies and protocols named."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from html_page import Page

from zerosight.errors import OutputError
from zerosight.evaluate.findings import (
    FindingEvaluationConfig,
    FindingSettings,
    Provenance,
    evaluate_findings,
    write_findings,
)
from zerosight.evaluate.findings.charts import curve_charts, histograms
from zerosight.evaluate.findings.output import page
from zerosight.evaluate.findings.published import NOTE, PUBLISHED
from zerosight.evaluate.findings.tables import markdown, notes, rows_of
from zerosight.report.charts import SIDE


def test_the_three_files_say_the_same(evaluated, tmp_path):
    evaluation = evaluated()
    path = write_findings(evaluation, tmp_path)
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert values == json.loads(json.dumps(evaluation.to_json()))
    auroc = f"{100 * values['macro']['auroc']['value']:.1f}"
    assert f"| {auroc} (" in (tmp_path / "evaluation.md").read_text()
    assert f"<dd>{auroc}<small>" in path.read_text()
    assert not [file.name for file in tmp_path.iterdir() if "SECRET" in file.read_text()]


@pytest.mark.parametrize("policy", ["oracle", "fixed:0.5", "validation"])
def test_the_page_stands_alone_and_names_its_policy(evaluated, policy):
    evaluation = evaluated(policy)
    text = page(evaluation)
    found = Page(text)
    assert not found.open
    assert all(address.startswith(("data:", "#")) for address in found.addresses)
    assert "default-src 'none'" in text
    assert "a<b>c | d" in found.texts
    assert "radz-<x> on chestxray14" in found.texts
    for words in (f"F1 ({policy})", f"Accuracy ({policy})", "train-only", "anchor: lung lesion", "ROC"):
        assert words in found.texts
    assert evaluation.provenance.notice in found.texts
    assert any(evaluation.policy.meaning in words for words in found.texts)


def test_published_values_stand_beside_with_their_protocol(evaluated):
    for text in (page(evaluated()), markdown(evaluated())):
        for words in ("Published for ChestX-ray14", "MedKLIP", "72.3", NOTE, "25,596 test images"):
            assert words in text
    assert "Published for" not in page(evaluated(data="mine")) + markdown(evaluated(data="mine"))


def test_only_figures_of_the_same_kind_stand_in_one_column(evaluated):
    def ours(policy):
        return re.search(r'<tr class="ours">.*?</tr>', page(evaluated(policy)), re.S).group()

    assert ours("oracle").count("n/a") == 0
    assert ours("fixed:0.5").count("n/a") == 2


def test_every_published_row_has_shares_in_per_cent():
    rows = [row for one in PUBLISHED.values() for row in one.rows]
    assert len(rows) == 17
    for row in rows:
        assert all(10 < value < 100 for value in (row.auroc, row.f1, row.accuracy) if value is not None)
        assert "protocol" in row.note


def test_notes_say_what_is_missing(evaluated):
    found = notes(evaluated())
    assert found[1:] == [
        "AUROC and AP n/a: no positives (hernia)",
        "F1 and accuracy n/a: no positives (hernia)",
        "mean AUROC over the 3 of 4 findings that have one",
        "left out, unreadable image: 2",
    ]


def test_rows_are_in_print(evaluated):
    rows = rows_of(evaluated())
    assert [row.name for row in rows] == ["pneumonia", "Effusion", "hernia", "a<b>c | d", "mean"]
    assert re.fullmatch(r"\d+\.\d \(\d+\.\d–\d+\.\d\)", str(rows[0].cells[0]))
    assert (rows[1].anchor, rows[0].anchor) == ("pleural effusion", "")
    assert str(rows[2].cells[0]) == "n/a"
    assert str(rows[4].cells[4]) == "–"


def test_markdown_shows_names_as_text(evaluated):
    text = markdown(evaluated())
    assert "| a\\<b\\>c \\| d | lung lesion | " in text
    assert text.startswith("# radz-\\<x\\> on chestxray14\n")


def test_charts_have_a_line_per_finding_that_has_one(evaluated):
    charts = {chart.title: chart for chart in curve_charts(evaluated())}
    assert list(charts) == ["ROC", "Precision–recall", "Calibration"]
    assert [line.category for line in charts["ROC"].lines] == ["pneumonia", "Effusion", "a<b>c | d"]
    assert len(charts["Calibration"].lines) == 4
    for chart in charts.values():
        for line in chart.lines:
            assert all(0 <= float(number) <= SIDE for number in re.findall(r"[\d.]+", line.path))


def test_histograms_hold_every_known_image(evaluated):
    every, *single = histograms(evaluated("fixed:0.25"))
    assert [one.category for one in single] == ["pneumonia", "Effusion", "hernia", "a<b>c | d"]
    assert sum(every.counts) == 60 + 51 + 60
    assert sum(single[1].counts) == 51
    assert every.threshold == single[0].threshold == 0.25
    assert histograms(evaluated("oracle"))[0].threshold is None


def test_one_finding_has_no_mean_and_no_choice():
    values, labels = np.array([[0.1], [0.9], [0.4]]), np.array([[0], [1], [1]])
    facts = Provenance("mine", {"model": "m"}, "vqa", "target-aware")
    settings = FindingSettings(facts, FindingEvaluationConfig(resamples=0))
    evaluation = evaluate_findings(values, values, labels, None, ["covid-19"], settings)
    assert len(rows_of(evaluation)) == len(histograms(evaluation)) == 1
    found = Page(page(evaluation))
    assert not found.open
    assert not {"mean", "Mean AUROC"} & set(found.texts)


def test_nothing_known_still_makes_a_page():
    values = np.zeros((2, 1))
    facts = Provenance("mine", {"model": "m"}, "vqa", "target-aware")
    evaluation = evaluate_findings(
        values, values, np.full((2, 1), np.nan), None, ["mass"], FindingSettings(facts)
    )
    assert histograms(evaluation) == curve_charts(evaluation) == []
    assert "no known labels" in page(evaluation)


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(evaluated, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_findings(evaluated(), tmp_path / "file")
