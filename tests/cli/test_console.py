"""The console: JSON that any reader takes."""

from __future__ import annotations

import io
import json
import os

import pytest

from zerosight.cli.console import messages, print_json
from zerosight.report.table import Table


@pytest.mark.parametrize("name", ["Gehäuse.png", os.fsdecode(b"teil_\xe4.png")])
def test_names_of_any_kind_are_printed_as_json(name: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"source": name})
    assert json.loads(capsysbinary.readouterr().out.decode())["source"] == name


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return what a terminal gets of the messages."""
    screen = io.StringIO()
    monkeypatch.setattr(messages, "_force_terminal", True)
    monkeypatch.setattr(messages, "_file", screen)
    return screen


@pytest.mark.parametrize("name", ["o[/x]", "o[bold]", ":smile:"])
def test_names_are_no_markup(name: str, terminal: io.StringIO) -> None:
    messages.print(f"results: {name}", soft_wrap=True)
    messages.print(Table(("image",), ((name,),), words=(0,)).rich())
    assert terminal.getvalue().count(name) == 2


def test_codes_of_strangers_do_not_reach_the_terminal(
    terminal: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    messages.print("a\x1b]0;title\x07b\x1b[2Jc\x9bd", soft_wrap=True)
    messages.print(Table(("image",), (("e\x1b[2Jf",),), words=(0,)).rich())
    assert "a?]0;title?b?[2Jc?d" in terminal.getvalue()
    assert "e?[2Jf" in terminal.getvalue()
    print_json({"name": "a\x9bb"})
    assert capsys.readouterr().out == '{"name": "a\\u009bb"}\n'
