"""Generated descriptions: a language model writes them, for findings that nobody has described.

The model writes how the finding looks; absence is a plain sentence, as a wrong "no …" would do more harm than
a missing one (our default). What it wrote is kept with the prompt, the model and the seed that made it.
Source: LLaVA-RadZ (arXiv 2503.07487), DKAM: the large model describes each category. The prompt is ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from zerosight.config import Config, read_mapping
from zerosight.errors import ConfigError, OutputError
from zerosight.files import write_atomically
from zerosight.models.llava_radz.descriptions import (
    Description,
    DescriptionError,
    check_findings,
    missing,
    plain_absence,
)

PROMPT = (
    "In one or two sentences, in the style of a radiology report, describe how {name} looks on a frontal "
    "chest radiograph. Write only the description."
)
TEXTS = 3
FEWEST_WORDS, MOST_SENTENCES, MOST_CHARACTERS = 4, 3, 400

_REFUSAL = re.compile(
    r"\b(sorry|apologi[sz]e|as an? (ai|artificial|(large )?language model)"
    r"|i( am|'m)? (cannot|can not|can't|not able|unable|do not have|don't have|won't))\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(sure|certainly|of course|here('s| is| are)|description|findings?|answer)\b[^:.]*:\s*", re.I
)
_AFTER_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class GeneratedDescription(Config):
    """A description with all that is needed to make it again."""

    description: Description
    prompt: str
    model: str
    seed: int


def generate_description(
    generate: Callable[[str, int], str],
    name: str,
    model: str,
    seed: int = 0,
    folder: Path | None = None,
    prompt: str = PROMPT,
) -> Description:
    """Return a description in a language model's words, from the folder if it was written before.

    Args:
        generate: Takes a prompt and a seed, returns the model's answer without the prompt.
        name: The finding, in any spelling.
        model: The model's name or fingerprint; another model's texts are not taken for this one's.
        seed: The first text's; each further text takes the next.
        folder: Where written descriptions are kept, shared by any number of runs; None keeps nothing.
        prompt: What to ask, with ``{name}`` in it.

    Raises:
        DescriptionError: None of the answers is a description: they are empty, refuse, or repeat themselves.
    """
    [finding] = check_findings([name])
    asked = prompt.replace("{name}", finding)
    path = folder / f"{_digest(finding, asked, model, seed)}.json" if folder else None
    kept = _kept(path) if path else None
    if kept and (kept.description.name, kept.prompt, kept.model, kept.seed) == (finding, asked, model, seed):
        return kept.description
    description = Description(
        name=finding,
        presence=_ask(generate, finding, asked, seed),
        absence=plain_absence(finding),
        source=f"written by {model[:100]}, seed {seed}; not reviewed",
    )
    if path:
        generated = GeneratedDescription(description=description, prompt=asked, model=model, seed=seed)
        with contextlib.suppress(OutputError):
            write_atomically(path, generated.model_dump_json(indent=1).encode())
    return description


def describe_missing(
    generate: Callable[[str, int], str],
    names: Iterable[str],
    known: Mapping[str, Description],
    model: str,
    seed: int = 0,
    folder: Path | None = None,
) -> dict[str, Description]:
    """Return descriptions, by canonical name, of those findings that have none yet.

    Args:
        generate: As for :func:`generate_description`, like all that follows but ``known``.
        names: Findings, in any spelling.
        known: Descriptions there are.
        model: The model's name or fingerprint.
        seed: Of the first text of each.
        folder: Where they are kept.

    Raises:
        DescriptionError: A finding got no usable answer.
    """
    absent = missing(names, known)
    return {name: generate_description(generate, name, model, seed, folder) for name in absent}


def clean(answer: str) -> str:
    """Return an answer without mark-up and openings, cut to whole sentences.

    >>> clean("Sure, here is the description:\\n* **Bilateral** hazy opacities. The heart is")
    'Bilateral hazy opacities.'
    """
    plain = re.sub(r"[*_#`>\"“”]+|^\s*(?:[-•]|\d+[.)])\s+", " ", answer, flags=re.MULTILINE)
    line = "".join(mark for mark in " ".join(plain.split()) if mark.isprintable())
    text = _OPENING.sub("", line.replace("’", "'").lstrip("-•: "))
    sentences = [part for part in _AFTER_SENTENCE.split(text) if part.endswith((".", "!", "?"))]
    kept = sentences[:MOST_SENTENCES]
    while len(" ".join(kept)) > MOST_CHARACTERS:
        kept.pop()
    return " ".join(kept)


def problem(text: str) -> str | None:
    """Say why a cleaned answer is no description, or None."""
    words = re.findall(r"[^\W\d_]{2,}", text.casefold())
    if not text:
        return "holds no whole sentence"
    if _REFUSAL.search(text):
        return "refuses"
    if len(words) < FEWEST_WORDS:
        return "is too short"
    if len(set(words)) < len(words) / 2:
        return "repeats itself"
    return None


def _ask(generate: Callable[[str, int], str], name: str, prompt: str, seed: int) -> tuple[str, ...]:
    """Return up to ``TEXTS`` different usable answers from twice as many seeds."""
    texts: dict[str, None] = {}
    reason = ""
    for i in range(2 * TEXTS):
        text = clean(generate(prompt, seed + i).removeprefix(prompt))
        reason = problem(text) or ""
        if not reason:
            texts[text] = None
        if len(texts) == TEXTS:
            break
    if not texts:
        raise DescriptionError(
            f"the model wrote no usable description of {name!r} (its answer {reason}); describe it in a file "
            "(--descriptions FILE), or use another model or seed"
        )
    return tuple(texts)


def _kept(path: Path) -> GeneratedDescription | None:
    """Return what an earlier run wrote; None if there is nothing or it is damaged."""
    try:
        return GeneratedDescription.parse(read_mapping(path), str(path))
    except ConfigError:
        return None


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:32]
