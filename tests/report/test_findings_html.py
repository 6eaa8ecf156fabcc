"""The page of findings: complete, in order, self-contained and safe to open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from html_page import Page
from PIL import Image

from zerosight.errors import OutputError
from zerosight.report.findings import UNFAMILIAR, FindingFormat, parse_finding_row
from zerosight.report.findings_html import RESEARCH_USE, shares, write_finding_report
from zerosight.report.rows import final_rows
from zerosight.report.writer import ResultWriter
from zerosight.types import Failure, FindingPrediction, FindingScore

PHOTO = Image.new("L", (30, 20), 90)
NAMES = ("pneumonia", "edema", "no finding")
HOSTILE = 'a/<script>alert(1)</script>"{{ 7*7 }}.png'


def prediction(source: str, *probabilities: float, names: tuple[str, ...] = NAMES) -> FindingPrediction:
    """Return a prediction with a map per finding."""
    pairs = sorted(zip(probabilities, names, strict=True), reverse=True)
    findings = tuple(FindingScore(name, value, value, 0.5) for value, name in pairs)
    maps = {name: np.full((20, 30), 0.7, np.float32) for name in (*names, "attention")}
    return FindingPrediction(source, findings, "pos-neg", "target-aware", maps)


def report(
    out: Path, *results: FindingPrediction | Failure, names: tuple[str, ...] = NAMES, **options
) -> Page:
    """Return the page about the results."""
    with ResultWriter(out, format=FindingFormat(names)) as writer:
        for result in results:
            writer.add(result, None if isinstance(result, Failure) else PHOTO)
    path = write_finding_report(out, "Ward 3", {"name": "radz", "temperature": 0.07}, "1 May 2025", **options)
    return Page(path.read_text(encoding="utf-8"), ("p", "li", "option"))


def test_the_most_probable_disease_decides_the_order(tmp_path: Path) -> None:
    normal, ill = prediction("a/fine.png", 0.2, 0.1, 0.95), prediction("a/ill.png", 0.3, 0.8, 0.1)
    page = report(tmp_path, normal, ill, Failure("a/cut.dcm", "a/cut.dcm: is truncated"))
    rows = page.all("tr", "data-name")
    assert [row["data-name"] for row in rows] == ["a/ill.png", "a/fine.png"]
    assert [row["data-verdict"] for row in rows] == ["bad", "good"]
    assert [row["data-leading"] for row in rows] == ["edema", "pneumonia"]
    for words in ("Ward 3", "radz", "0.07", "target-aware", "pos-neg", "80 %", "a/cut.dcm", "is truncated"):
        assert words in page.text
    assert RESEARCH_USE in page.text


def test_bars_come_with_each_image_by_probability(tmp_path: Path) -> None:
    page = report(tmp_path, prediction("x.png", 0.3, 0.8, 0.1))
    bars = page.all("li", "data-finding")
    assert [bar["data-finding"] for bar in bars] == ["edema", "pneumonia", "no finding"]
    assert [bar["data-present"] for bar in bars] == ["1", "0", "0"]
    assert {button["data-map"] for button in page.all("button", "data-map")} == {
        "edema",
        "pneumonia",
        "attention",
    }
    assert page.all("option") == [{"value": ""}, {}, {}, {}]


def test_the_page_says_why_a_finding_has_no_map(tmp_path: Path) -> None:
    found = prediction("x.png", 0.9, 0.8, 0.1)
    findings = tuple(replace(one, no_map="it points <nowhere>") for one in found.findings[:1])
    maps = {name: grid for name, grid in found.maps.items() if name != "pneumonia"}
    page = report(tmp_path, replace(found, findings=(*findings, *found.findings[1:]), maps=maps))
    assert "No map of pneumonia: it points <nowhere>" in page.text
    line = (tmp_path / "predictions.jsonl").read_bytes().splitlines()[-1]
    assert [one.no_map for one in parse_finding_row(line).findings] == ["it points <nowhere>", "", ""]


def test_images_unlike_those_of_training_are_marked_and_come_last(tmp_path: Path) -> None:
    limit = "knows <drawings> only"
    strange = replace(prediction("strange.png", 0.9, 0.9, 0.1), is_familiar=False, limitation=limit)
    known = replace(prediction("known.png", 0.1, 0.6, 0.1), is_familiar=True, limitation=limit)
    page = report(tmp_path, strange, known)
    first, last = page.all("tr", "data-name")
    assert (first["data-name"], last["data-name"]) == ("known.png", "strange.png")
    assert (last["class"], last["data-verdict"], last["data-score"]) == ("strange", "good", "-1")
    assert "class" not in first
    assert limit in page.text
    assert f"1 of 2 images are {UNFAMILIAR}" in page.text
    table = (tmp_path / "predictions.csv").read_text()
    assert UNFAMILIAR in table
    assert UNFAMILIAR not in report(tmp_path / "plain", prediction("x.png", 0.3, 0.8, 0.1)).text


def test_long_lists_are_folded(tmp_path: Path) -> None:
    names = tuple(f"finding {number}" for number in range(12))
    page = report(tmp_path, prediction("x.png", *np.linspace(0, 1, 12).tolist(), names=names), names=names)
    assert "4 more" in page.text
    assert len(page.all("li", "data-finding")) == 12


def test_the_page_loads_nothing_and_shows_names_as_text(tmp_path: Path) -> None:
    hostile = ("<b>x</b>", 'y" onclick="z')
    page = report(tmp_path, prediction(HOSTILE, 0.9, 0.6, names=hostile), names=hostile)
    assert not page.open
    sources = [attrs["src"] for attrs in page.all("img")]
    assert sources
    assert all(source.startswith("data:image/webp") for source in sources)
    links = [attrs["href"] for attrs in page.all("a", "href")]
    assert all(link.startswith(("maps/", "#")) for link in links)
    assert {"<b>x</b>", 'y" onclick="z'} <= {attrs.get("data-finding") for attrs in page.all("li")}
    assert not page.all("b", "onclick")
    assert len(page.all("script")) == 1


def test_pictures_are_for_the_first_images_only(tmp_path: Path) -> None:
    found = [prediction(f"{number}.png", number / 9, 0.0, 0.0) for number in range(4)]
    page = report(tmp_path, *found, thumbnails=1)
    assert len(page.all("img")) == 1 + 4  # the scale; image, two maps, attention
    assert "The first 1 images are shown with pictures" in page.text


def test_nothing_scored_still_makes_a_page(tmp_path: Path) -> None:
    page = report(tmp_path, Failure("x", "x: is empty"))
    assert "No image was scored." in page.text


def test_shares_count_images_per_finding(tmp_path: Path) -> None:
    report(tmp_path, prediction("a", 0.9, 0.1, 0.2), prediction("b", 0.7, 0.6, 0.1))
    found = shares(list(final_rows(tmp_path / "predictions.jsonl", parse_finding_row)))
    assert [(share.name, share.present) for share in found] == [
        ("pneumonia", 2),
        ("edema", 1),
        ("no finding", 0),
    ]
    assert found[0].mean == pytest.approx(0.8)


def test_no_results_are_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="run a prediction first"):
        write_finding_report(tmp_path, "x", {}, None)
