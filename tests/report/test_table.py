"""The table: one content in Markdown, in a terminal and on a page, and texts that stay texts."""

from __future__ import annotations

import io

from rich.console import Console

from zerosight.report.cells import Cell
from zerosight.report.table import Table

TABLE = Table(
    ("name", "AUROC", "note"),
    (("a|b", Cell("91.2", "88.0–94.1"), "[red]x"), ("mean", Cell("n/a", reason="no masks"), "<i>")),
    "In %",
    "As <published>.",
    words=(0, 2),
)


def test_markdown_has_its_marks_escaped() -> None:
    assert TABLE.markdown("##").splitlines() == [
        "## In %",
        "",
        "| name | AUROC | note |",
        "|---|---:|---|",
        "| a\\|b | 91.2 (88.0–94.1) | \\[red\\]x |",
        "| mean | n/a | \\<i\\> |",
        "",
        "As \\<published\\>.",
    ]
    assert "| a|b | 91.2" in TABLE.markdown(escape=False)


def test_a_terminal_shows_intervals_below_and_takes_no_markup() -> None:
    file = io.StringIO()
    Console(file=file, width=80).print(TABLE.rich())
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert lines[0] == "In %"
    assert any(line.split() == ["a|b", "91.2", "[red]x"] for line in lines)
    assert any(line.split() == ["88.0–94.1"] for line in lines)
    assert lines[-1] == "As <published>."


def test_a_page_escapes_texts_and_says_why_a_value_is_missing() -> None:
    page = TABLE.html()
    assert '<th scope="row">a|b</th><td>91.2<small>88.0–94.1</small></td><td>[red]x</td>' in page
    assert '<td title="no masks" class="none">n/a</td><td>&lt;i&gt;</td>' in page


def test_without_rows_there_are_heads_only() -> None:
    empty = Table(("a", "b"), (), words=None)
    assert empty.markdown() == "| a | b |\n|---|---|"
    assert empty.html().count("<tr>") == 1
