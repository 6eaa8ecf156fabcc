"""Tables of the benchmark."""

from __future__ import annotations

from dataclasses import replace

from zerosight.benchmark.radz.tables import radz_tables
from zerosight.report.table import Table


def test_every_table_is_square_and_has_a_row_per_measurement(result):
    tables = radz_tables(result)
    assert [len(table.rows) for table in tables] == [2, 3, 3, 3, 3]
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_markdown_holds_the_figures(result):
    text = "\n".join(table.markdown("###", escape=False) for table in radz_tables(result))
    assert text.startswith("### From pixels to scores: random:llava-like, ")
    assert f"| {result.depth.rows[-1].expected:.1%} |" in text
    assert f"{result.steps.rows[1].memory_ratio:.2f}×" in text


def test_memory_that_the_system_does_not_tell_is_a_dash(result):
    speed = [replace(row, plain_resident_mb=None) for row in result.speed]
    assert "–" in radz_tables(replace(result, speed=speed))[0].rows[0]


def test_a_note_follows_its_table():
    assert Table(("a",), (("1",),), "t", "So it is.").markdown().endswith("| 1 |\n\nSo it is.")


def test_an_aim_that_is_missed_says_no(result):
    rows = [replace(row, memory_ratio=3.0) for row in result.steps.rows]
    missed = radz_tables(replace(result, steps=replace(result.steps, rows=rows)))[-1]
    assert missed.rows[-1][-2:] == ("3.000", "no")
