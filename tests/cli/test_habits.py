"""One set of habits in all commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from zerosight.cli.main import app


def leaves(command: Any, words: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every command with its options, by all their names."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, f"{words} {name}".strip())
    if not getattr(command, "commands", None):
        yield words, {name: option for option in command.params for name in option.opts}


COMMANDS = dict(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_options_that_commands_share_are_called_and_used_alike(name: str):
    options = COMMANDS[name]
    assert name == "serve" or options["--json"].is_flag
    assert ("--out" in options) == ("-o" in options)
    for flag in ("--overwrite", "--resume"):
        assert flag not in options or options[flag].is_flag
    if "--data" in options:
        assert "LAYOUT:ROOT, a folder or a manifest" in options["--data"].help
    if "--device" in options:
        assert "auto" in options["--device"].help
        assert {"cpu", "cuda", "mps"} <= set(
            options["--device"].help.replace(",", " ").replace(";", " ").split()
        )


def test_what_runs_a_model_or_trains_one_takes_a_device():
    takers = {name for name, options in COMMANDS.items() if "--device" in options}
    assert takers >= {"predict", "fit", "calibrate", "evaluate", "serve", "train vip2clip", "train radz"}


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("cudo", "--device cudo: should be auto, cpu, cuda or mps (did you mean 'cuda'?)"),
        ("cuda:1", "CUDA_VISIBLE_DEVICES=1 chooses the card"),
    ],
)
def test_devices_that_training_cannot_have_are_one_line(run, device: str, said: str):
    status, _, messages = run("train", "vip2clip", "x.jsonl", "--out", "r", "--device", device)
    assert (status, said in messages, len(messages.strip().splitlines())) == (1, True, 1), messages
