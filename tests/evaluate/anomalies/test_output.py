"""The outputs: a page that stands alone, tables that say what is missing, examples worth looking at."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from html_page import Page

from zerosight.evaluate.anomalies import Evaluation, EvaluationConfig, evaluate, model_facts
from zerosight.evaluate.anomalies.charts import curve_charts, histograms
from zerosight.evaluate.anomalies.examples import choose
from zerosight.evaluate.anomalies.output import page, write_outputs
from zerosight.evaluate.anomalies.result import Decisions
from zerosight.evaluate.anomalies.tables import markdown, notes, rows_of
from zerosight.report.charts import SIDE

CONFIG = EvaluationConfig(resamples=20)


@pytest.fixture
def evaluated(make, predictor):
    """Return an evaluation of two categories and its data set."""
    dataset = make("nut", "c<b>p & lid")
    result = evaluate(predictor, dataset, CONFIG)
    return Evaluation(model_facts(predictor.card), CONFIG.shown(), (result,)), dataset


def test_the_three_files_say_the_same(evaluated, predictor, tmp_path):
    evaluation, dataset = evaluated
    path = write_outputs(tmp_path, evaluation, [dataset], predictor)
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert values == json.loads(json.dumps(evaluation.to_json()))
    auroc = f"{100 * values['datasets'][0]['mean']['image']['auroc']['value']:.1f}"
    assert f"| {auroc} (" in (tmp_path / "evaluation.md").read_text()
    assert f"<dd>{auroc}<small>" in path.read_text()


def test_the_page_stands_alone_and_shows_names_as_text(evaluated, predictor):
    evaluation, dataset = evaluated
    text = page(evaluation, [dataset], predictor)
    found = Page(text)
    assert not found.open
    assert all(address.startswith(("data:", "#")) for address in found.addresses)
    assert sum(address.startswith("data:image/webp") for address in found.addresses) == 4 * 3 + 4 * 3 + 4 * 2
    assert "default-src 'none'" in text
    assert "c<b>p & lid" in found.texts
    assert "<b>p" not in text
    for title in ("Image ROC", "Pixel precision–recall", "Per-region overlap", "Best ", "Most confused "):
        assert title in found.texts


def test_markdown_shows_names_as_text_and_reasons(evaluated):
    evaluation, _ = evaluated
    result = evaluation.datasets[0]
    text = markdown(evaluation)
    assert "| c\\<b\\>p & lid | 4 | 4 | " in text
    rows = rows_of(result, "exact")
    assert [row.name for row in rows] == ["nut", "c<b>p & lid", "mean"]
    assert re.fullmatch(r"\d+\.\d \(\d+\.\d–\d+\.\d\)", str(rows[-1].image[0]))
    assert notes(result, "exact") == []
    found = result.decisions
    scored = [one for category in result.categories for one in category.outcomes]
    assert found.threshold == result.threshold
    assert (found.normal, found.anomalous) == (8, 8)
    assert found.false_alarms == sum(one.score >= found.threshold for one in scored if one.label == 0)
    assert found.misses == sum(one.score < found.threshold for one in scored if one.label == 1)
    assert f"- {found}\n" in text


def test_what_the_models_threshold_decides_is_told_in_a_line():
    said = str(Decisions(0.5, normal=8, false_alarms=2, anomalous=0, misses=0))
    assert said == "at the model's threshold 0.500: 2 of 8 normal images called anomalous (25.0%)"
    assert str(Decisions(0.5, 0, 0, 0, 0)).endswith("no labelled image")


def test_undefined_metrics_have_a_note_and_no_chart(make, rewrite, predictor):
    dataset = make("nut", "cap")
    records = [replace(r, mask=None) for r in dataset.records() if r.label == 1 or r.category == "nut"]
    result = evaluate(predictor, rewrite(dataset.root, records), CONFIG)
    assert notes(result, "exact") == [
        "pixel level n/a: no masks",
        "image level n/a: no normal images (cap)",
        "image-level mean over the 1 of 2 categories that have it",
    ]
    assert [chart.title for chart in curve_charts(result, "exact")] == ["Image ROC", "Image precision–recall"]
    evaluation = Evaluation(model_facts(predictor.card), CONFIG.shown(), (result,))
    text = page(evaluation, [dataset], predictor)
    assert 'title="no masks"' in text
    assert "Pixel ROC" not in text


def test_curves_run_from_corner_to_corner_inside_the_plot(evaluated):
    charts = {chart.title: chart for chart in curve_charts(evaluated[0].datasets[0], "published")}
    assert list(charts) == [
        "Image ROC",
        "Image precision–recall",
        "Pixel ROC",
        "Pixel precision–recall",
        "Per-region overlap",
    ]
    for line in charts["Pixel ROC"].lines:
        assert line.path.startswith(f"M0.0 {SIDE}L")
        assert line.path.endswith(f"L{SIDE} 0.0")
        assert all(0 <= float(number) <= SIDE for number in re.findall(r"[\d.]+", line.path))
    assert charts["Per-region overlap"].limit == 0.3
    assert re.fullmatch(r"AUPRO \d\.\d{3}", charts["Per-region overlap"].lines[0].label)


def test_histograms_hold_every_image_of_their_kind(evaluated):
    every, nut, cap = histograms(evaluated[0].datasets[0])
    assert every.counts == (8, 8)
    assert nut.counts == cap.counts == (4, 4)
    assert every.threshold is None
    assert 0 <= nut.threshold <= 1
    assert every.low <= every.high
    for shares in (nut.negative, nut.positive):
        tall = [share for share in shares if share]
        assert sum(shares) / max(nut.negative + nut.positive) <= 4
        assert tall


def test_examples_are_the_extremes(evaluated):
    result = evaluated[0].datasets[0]
    best, worst, confused = choose(result, 2)
    assert [g.title for g in (best, worst, confused)] == ["Best", "Worst", "Most confused"]
    threshold = {c.name: c.image.f1_threshold.value for c in result.categories}
    margins = {
        o.image: o.score - threshold[o.category]
        for c in result.categories
        for o in c.outcomes
        if o.label == 1
    }
    assert [o.image for o in best.outcomes] == sorted(margins, key=lambda name: (-margins[name], name))[:2]
    assert [o.image for o in worst.outcomes] == sorted(margins, key=lambda name: (margins[name], name))[:2]
    assert all(o.label == 0 for o in confused.outcomes)


def test_without_normal_images_the_maps_decide(make, rewrite, predictor):
    dataset = make("nut")
    result = evaluate(predictor, rewrite(dataset.root, [r for r in dataset.records() if r.label]), CONFIG)
    best, worst = choose(result, 1)
    values = [o.localisation for o in result.categories[0].outcomes]
    assert best.outcomes[0].localisation == max(values)
    assert worst.outcomes[0].localisation == min(values)
    assert histograms(result) == []


def test_an_image_gone_since_leaves_a_gap_not_an_error(evaluated, predictor):
    evaluation, dataset = evaluated
    for path in dataset.root.glob("0-?.png"):
        path.unlink()
    assert "0-1.png" in page(evaluation, [dataset], predictor)
