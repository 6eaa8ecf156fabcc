"""The page: whole, self-contained, bounded, and safe to open whatever the files are called."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from html_page import Page
from PIL import Image

from zerosight.errors import OutputError
from zerosight.report.entries import entries
from zerosight.report.formats import AnomalyFormat
from zerosight.report.html import histogram, write_report
from zerosight.report.rows import ScoredRow
from zerosight.report.writer import ResultWriter
from zerosight.types import Failure, Prediction, Region

PHOTO = Image.new("RGB", (40, 30), "gray")
HOSTILE = "a/<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}.png"


def prediction(source: str, score: float) -> Prediction:
    """Return a prediction with one region if it is anomalous."""
    anomaly_map = np.full((30, 40), 0.1, np.float32)
    regions = (Region((3, 4, 15, 10), 72, 0.91),) if score >= 0.5 else ()
    return Prediction(source, score, 0.5, 0.4, anomaly_map, regions)


def report(out: Path, *results: Prediction | Failure, picture: bool = True, **options: object) -> Page:
    """Return the page about the results."""
    with ResultWriter(out) as writer:
        for result in results:
            writer.add(result, PHOTO if picture and isinstance(result, Prediction) else None)
    path = write_report(out, "Screws", {"name": "tiny", "licence": "<b>"}, "1 May 2025", **options)
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_shows_everything_worst_first(tmp_path: Path) -> None:
    failure = Failure("a/cut.png", "a/cut.png: is truncated")
    page = report(tmp_path, prediction("a/fine.png", 0.2), prediction("a/bad.png", 0.9), failure)
    assert [row["data-name"] for row in page.all("tr", "data-score")] == ["a/bad.png", "a/fine.png"]
    for text in ("Screws", "tiny", "1 May 2025", "0.900", "12 × 6 px at 3, 4", "0.91", "a/cut.png", "<b>"):
        assert text in page.text
    assert "is truncated" in page.text
    assert len(page.all("rect")) == 2
    assert len(page.all("img")) == 2 * 3 + 1


def test_an_image_of_another_world_gets_a_note_and_no_verdict(tmp_path: Path) -> None:
    strange = replace(prediction("a/cat.png", 0.9), is_familiar=False)
    known = replace(prediction("a/bad.png", 0.8), is_familiar=True)
    page = report(tmp_path, strange, known)
    assert "1 of 2 images are unlike the images that this model was made from" in page.text
    assert [row["data-verdict"] for row in page.all("tr", "data-score")] == ["strange", "bad"]
    assert [row["class"] for row in page.all("tr", "class")] == ["strange"]
    assert [bar["class"] for bar in page.all("rect")] == ["bad"]
    assert "Scores of familiar images" in page.text
    table = (tmp_path / "predictions.csv").read_text().splitlines()
    assert [line.rsplit(",", 1)[1] for line in table] == ["is_familiar", "false", "true"]
    assert not report(tmp_path / "all", strange).all("rect")
    plain = report(tmp_path / "plain", prediction("a/bad.png", 0.8))
    assert "nfamiliar" not in plain.text
    assert "is_familiar" not in (tmp_path / "plain/predictions.csv").read_text()


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    page = report(tmp_path, prediction("a/bad.png", 0.9), notice="Research only")
    assert all((image["src"] or "").startswith("data:image/webp;base64,") for image in page.all("img"))
    assert not [name for name, attributes in page.tags if name == "script" and attributes]
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert [link["href"] for link in page.all("a")] == ["heatmaps/bad.png", "outlines/bad.png"]
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "http" not in re.sub(r'base64,[^"]*|http-equiv', "", (tmp_path / "report.html").read_text())
    assert "Research only" in page.text


def test_hostile_names_are_text(tmp_path: Path) -> None:
    plain = report(tmp_path / "plain", prediction("a/b.png", 0.9), Failure("c", "d"))
    hostile = report(tmp_path / "hostile", prediction(HOSTILE, 0.9), Failure(f"{HOSTILE}2", HOSTILE))
    assert [name for name, _ in hostile.tags] == [name for name, _ in plain.tags]
    assert not [attributes for _, attributes in hostile.tags if "onerror" in attributes]
    assert hostile.all("tr", "data-score")[0]["data-name"] == HOSTILE
    assert "{{ 7*7 }}.png" in hostile.text


def test_names_that_are_not_utf8_are_shown_somehow(tmp_path: Path) -> None:
    page = report(tmp_path, prediction("a/\udcff.png", 0.9), Failure("\udcfe", "x"))
    assert page.all("tr", "data-score")[0]["data-name"] == "a/?.png"


def test_a_line_cannot_name_files_outside_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report(out, prediction("a/bad.png", 0.9))
    PHOTO.save(tmp_path / "secret.png")
    record = out / "predictions.jsonl"
    record.write_bytes(record.read_bytes().replace(b"outlines/bad.png", b"../secret.png"))
    page = Page(write_report(out, "t", {}, None).read_text())
    assert len(page.all("img")) == 2 + 1
    assert page.all("a")[1]["href"] == "outlines/secret.png"


def test_no_image_at_all(tmp_path: Path) -> None:
    page = report(tmp_path)
    assert "No image was scored." in page.text
    assert not page.all("table")


def test_nothing_but_failures(tmp_path: Path) -> None:
    page = report(tmp_path, *[Failure(f"{i}.png", "cut") for i in range(3)])
    assert "No image was scored." in page.text
    assert page.text.count("cut") == 3


def test_thousands_of_images_stay_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zerosight.report.html.MAX_ROWS", 150)
    results = [prediction(f"folder/{i}.png", i / 200) for i in range(200)]
    page = report(tmp_path, *results, thumbnails=20)
    assert len(page.all("tr", "data-score")) == 150
    assert len(page.all("img")) == 20 * 3 + 1
    assert "The 20 highest scores are shown with pictures" in page.text
    assert "The 150 highest scores of 200 are listed" in page.text
    assert (tmp_path / "report.html").stat().st_size / 150 < 4000


def test_a_missing_picture_is_left_out(tmp_path: Path) -> None:
    report(tmp_path, prediction("a/bad.png", 0.9))
    for file in ("heatmaps/bad.png", "previews/bad.jpg"):
        (tmp_path / file).unlink()
    page = Page(write_report(tmp_path, "t", {}, None).read_text())
    assert [image["alt"] for image in page.all("img")][1:] == ["Regions"]


def test_results_without_pictures(tmp_path: Path) -> None:
    page = report(tmp_path, prediction("a/bad.png", 0.9), picture=False)
    assert not page.all("a")
    assert len(page.all("tr", "data-score")) == 1


def test_histogram_counts_every_score_once() -> None:
    row = ScoredRow("x", 0.0, False, 0.5, 0.5, 1, 1, (), {})
    scores = [0.0, 0.024, 0.025, 0.5, 0.99, 1.0]
    bars = histogram([replace(row, score=score, is_anomalous=score >= 0.5) for score in scores])
    assert [(bar.low, bar.count, bar.anomalous) for bar in bars if bar.count] == (
        [(0.0, 2, False), (0.025, 1, False), (0.5, 1, True), (0.975, 2, True)]
    )
    assert sum(bar.count for bar in histogram([])) == 0


def test_errors_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"predictions\.jsonl: cannot be read"):
        write_report(tmp_path, "t", {}, None)
    report(tmp_path, prediction("a/bad.png", 0.9))
    (tmp_path / "report.html").unlink()
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html: cannot be written"):
        write_report(tmp_path, "t", {}, None)
    assert not list(tmp_path.glob(".*.part"))


def test_small_pictures_are_made_on_threads_and_come_in_order(tmp_path: Path, monkeypatch) -> None:
    made: list[str] = []

    def slow(path: str, side: int, room: object) -> str:
        time.sleep(0.02 if path.endswith("0.png") else 0)
        made.append(threading.current_thread().name)
        return f"data:{Path(path).name}"

    monkeypatch.setattr("zerosight.report.entries.thumbnail", slow)
    files = [{"heatmap": f"heatmaps/{n}.png"} for n in range(9)]
    rows = [ScoredRow(f"{n}.png", 0.5, False, 0.6, 0.6, 30, 40, (), one) for n, one in enumerate(files)]
    found = list(entries(tmp_path, rows, AnomalyFormat(), pictured=8))
    assert [entry.name for entry in found] == [f"{n}.png" for n in range(9)]
    assert [entry.thumbnails.get("heatmap") for entry in found] == [
        *(f"data:{n}.png" for n in range(8)),
        None,
    ]
    assert all(name.startswith("read") for name in made)
