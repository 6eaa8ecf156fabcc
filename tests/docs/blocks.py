"""The fenced blocks of README, CONTRIBUTING and docs/, and which of them are commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)
SHELLS = ("sh", "bash", "console", "")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: Its page, from the root of the repository.
        line: Where it begins.
        language: What stands behind the fence.
        text: What is in it.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Return the place, as an editor opens it."""
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """Return the blocks in these languages, in the order of the pages."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[1] in languages:
                line = text.count("\n", 0, match.start()) + 1
                found.append(Block(str(page.relative_to(ROOT)), line, match[1], match[2]))
    return found


def commands(block: Block) -> list[list[str]]:
    """Return the commands of a shell block in words; of a console only what stands behind ``$``."""
    text = block.text.replace("\\\n", " ")
    if block.language == "console":
        text = "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ "))
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words = list(lexer)
        while words:
            word = words.pop(0)
            if word in ("|", "&&", ";", "||"):
                parts.append([])
            elif word in ("<", ">"):
                words.pop(0)  # a file
            elif parts[-1] or not re.match(r"[A-Z_]+=", word):  # NAME=value in front sets the environment
                parts[-1].append(word)
        parts.append([])
    return [part for part in parts if part]
