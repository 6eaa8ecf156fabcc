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

from zerosight.errors import ConfigError

messages = Console(stderr=True, highlight=False)


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
        TextColumn("{task.description}"),
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
    """Print one JSON value on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def refuse(model: str, **options: object) -> None:
    """Stop at options that would change nothing.

    Raises:
        ConfigError: One was given.
    """
    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"--{name.replace('_', '-')}: means nothing to {model}; leave it out")
