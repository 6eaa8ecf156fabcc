"""Every command in the documents is one that the parsers take, option by option; nothing is run."""

from __future__ import annotations

import re
import shlex
import tomllib
from functools import cache
from typing import Any

import pytest
import typer.main
from blocks import PAGES, ROOT, SHELLS, Block, blocks, commands

OTHERS = {
    "git": "version control",
    "curl": "asks a running server",
    "docker": "no container engine in tests",
    "split": "divides a list of files",
    "cd": "changes the folder",
    "anomalib": "its own command; make test-integrations uses the same class path",
}
"""Commands of other people, which are not parsed here, and why."""

DRAWN = ("docs/architecture.md", "CONTRIBUTING.md", "docs/evaluate.md", "docs/evaluate-findings.md")
"""Pages with fences without a language that hold a drawing or rows of a manifest."""

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
WRITTEN = [block for block in blocks(*SHELLS) if block.language or re.match(r"[a-z]+ ", block.text)]
INLINE = [
    (str(page.relative_to(ROOT)), match[1].replace("\n", " "))
    for page in PAGES
    for match in re.finditer(r"`(zerosight [^`…]+)`", page.read_text(encoding="utf-8"))
    if "COMMAND" not in match[1]
]
"""Commands in running text; those with an ellipsis are shortened."""


@cache
def program() -> Any:
    """Return the command line as its parsers see it."""
    from zerosight.cli.main import app

    return typer.main.get_command(app)


def parse(words: list[str]) -> None:
    """Parse the words behind ``zerosight``, without running anything; a wrong one is an error of click."""
    command = program()
    while words and getattr(command, "commands", None):
        name = words.pop(0)
        if name in ("--version", "--install-completion"):
            return
        assert name in command.commands, f"there is no command {name!r}"
        command = command.commands[name]
    if not getattr(command, "commands", None) and "--help" not in words:
        command.make_context(command.name, words).close()


@pytest.mark.parametrize("block", WRITTEN, ids=str)
def test_every_option_is_known(block: Block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in commands(block):
        first, *rest = words
        if first == "zerosight":
            parse(rest)
        elif first == "make":
            assert {word for word in rest if "=" not in word} <= set(TARGETS), words
        elif first == "pip":
            wanted = re.findall(r"\[([\w,-]+)\]", " ".join(rest))
            assert {name for names in wanted for name in names.split(",")} <= set(EXTRAS), words
        elif first == "python":
            assert rest[0] in ("-c", "-m") or (ROOT / rest[0]).is_file(), words
        else:
            assert first in OTHERS, f"{block}: {first} is neither ours nor in OTHERS"


@pytest.mark.parametrize("page", sorted({page for page, _ in INLINE}))
def test_commands_within_the_text_are_known_too(page: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER").mkdir()  # the parser asks for it
    wrong = {text: fault(shlex.split(text)[1:]) for where, text in INLINE if where == page}
    assert not {text: said for text, said in wrong.items() if said}


def fault(words: list[str]) -> str | None:
    """Return what is wrong with a command in running text; one that is only named needs no arguments."""
    try:
        parse(list(words))
    except Exception as error:  # typer's own click has no public name
        missing = getattr(error, "param", None)
        if type(error).__name__ != "MissingParameter" or missing is None:
            return str(error)
        if missing.param_type_name == "argument" and not all(word.isalnum() for word in words[:3]):
            return f"all arguments, or none: {error}"
    return None


def test_the_list_of_other_commands_holds_no_more_than_there_are():
    used = {words[0] for block in WRITTEN for words in commands(block)}
    assert set(OTHERS) <= used


def test_fences_that_are_no_commands_are_drawings():
    left = [block for block in blocks(*SHELLS) if block not in WRITTEN]
    assert {block.page for block in left} <= set(DRAWN), [str(block) for block in left]


def test_a_wrong_option_is_found():
    with pytest.raises(Exception, match="No such option"):
        parse(["predict", "photos", "--no-such-option"])


@pytest.mark.parametrize("page", ["README.md", "docs/start.md", "docs/deploy.md", "docs/guides/*.md"])
def test_a_page_that_is_typed_from_top_to_bottom_predicts_into_a_new_folder_each_time(page: str):
    for path in ROOT.glob(page):
        name = str(path.relative_to(ROOT))
        given = [words for block in WRITTEN if block.page == name for words in commands(block)]
        folders = [
            words[words.index("--out") + 1]
            for words in given
            if words[:2] == ["zerosight", "predict"] and "--out" in words and "--resume" not in words
        ]
        assert len(set(folders)) == len(folders), (name, folders)
