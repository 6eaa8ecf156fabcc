"""What all commands print with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from zerosight.errors import ConfigError, printable


class Messages(Console):
    """Standard error: words are printed as they are, and none of them is a command to the terminal.

    Names of files, data sets and models are other people's: brackets in them are no markup, and codes that
    move the cursor or set the window's title are shown as ``?``. Styles are a :class:`rich.text.Text`.
    """

    def __init__(self) -> None:
        super().__init__(stderr=True, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string, or the cell of a table, as text without codes."""
        return super().render_str(printable(text), **options)


messages = Messages()


class Rate(ProgressColumn):
    """Finished steps per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """Return the rate, one decimal."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {self.unit}/s" if speed else f"– {self.unit}/s")


@contextmanager
def progress(unit: str, quiet: bool = False) -> Iterator[Progress]:
    """Show a bar with rate and time left on standard error; nothing where that is no terminal."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(unit),
        TimeRemainingColumn(),
        console=messages,
        disable=quiet or not messages.is_terminal,
    )
    with bar:
        yield bar


def print_json(value: Any) -> None:
    """Print one JSON value on standard output; codes and what is no Unicode as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    plain = text.encode(errors="ignore").decode() == text == printable(text)
    typer.echo(text if plain else json.dumps(value))


def refuse(model: str, **options: object) -> None:
    """Stop at options that would change nothing.

    Raises:
        ConfigError: One was given.
    """
    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"--{name.replace('_', '-')}: means nothing to {model}; leave it out")
