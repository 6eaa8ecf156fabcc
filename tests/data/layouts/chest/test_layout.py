"""Cases and images are matched one to one, and everything that does not fit is noted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zerosight.data.layouts.catalog import find_layout
from zerosight.data.layouts.chest.images import ImageIndex
from zerosight.data.layouts.chest.layout import MAX_TEXT, add_cases, note
from zerosight.data.layouts.counts import compare_counts
from zerosight.data.layouts.info import Scan, TableCase

Build = Callable[..., Path]


def test_what_does_not_fit_is_noted(build: Build) -> None:
    root = build("a.png", "b.png", "c.png", "extra.png")
    scan = Scan(root, find_layout("findings_csv"))

    def cases() -> Iterator[TableCase]:
        yield TableCase("a.png", {"edema": 1}, "train", "p1", "a report")
        yield TableCase("b.png", {"edema": 0}, "test", "p1", "x" * (MAX_TEXT + 1))
        yield TableCase("c.png", {"edema": 0}, "test", "p2")
        yield TableCase("A.PNG", {"edema": 1}, "test", "p1")
        yield TableCase("c", {"edema": None}, "test", "p2")
        yield TableCase("d.png", {"edema": 1}, "test", "p3")

    add_cases(scan, cases(), ImageIndex(root))
    assert [(r.image, r.split, r.group, r.text) for r in scan.rows] == [
        ("a.png", "train", "p1", "a report"),
        ("b.png", "test", "p1", None),
        ("c.png", "test", "p2", None),
    ]
    assert scan.rows[1].labels is scan.rows[2].labels  # held once
    assert scan.problems == [
        "missing file: d.png",
        "listed twice, read once: A.PNG, with the same labels",
        "listed twice, read once: c, with other labels",
        f"report of more than {MAX_TEXT} characters left out: b.png",
        "in no table: extra.png",
        "patient in several splits: p1 (test, train)",
    ]


def test_many_problems_of_a_kind_are_counted(tmp_path: Path) -> None:
    scan = Scan(tmp_path, find_layout("findings_csv"))
    note(scan, "missing file", [f"{number}.png" for number in range(25)])
    assert len(scan.problems) == 11
    assert scan.problems[-1] == "missing file: 15 more"


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        ({"edema": 1, "no finding": 0}, 1),
        ({"edema": 0, "no finding": 1}, 0),
        ({"edema": 0}, None),
        ({"edema": None, "no finding": None}, None),
        ({"support devices": 1, "no finding": 1}, 0),
        ({}, None),
    ],
)
def test_an_image_is_anomalous_with_any_disease(labels: dict[str, int | None], label: int | None) -> None:
    assert TableCase("a.png", labels).label == label


def test_positives_on_the_test_list_are_compared(build: Build) -> None:
    info = find_layout("covidx_cxr2")
    scan = Scan(build(*(f"{number}.png" for number in range(400))), info)
    cases = [TableCase(f"{number}.png", {"covid-19": int(number < 198)}) for number in range(400)]
    add_cases(scan, cases, ImageIndex(scan.folder))
    assert compare_counts(info, scan.rows) == [
        "found 400 test images; expected 400 test images",
        "covid-19: found 198 test images with it, expected 200",
    ]
    assert compare_counts(info, scan.rows[1:]) == ["found 399 test images; expected 400 test images"]
