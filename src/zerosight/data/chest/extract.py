"""Findings in the text of a report: mentions, and whether the sentence affirms, denies or doubts them.

The words are data (``extract.yaml`` beside this file); the rules are four:

1. A report is read sentence by sentence; every phrase of a finding is a mention.
2. The nearest cue before a mention decides ("no", "possible", "but there is"); where there is none that
   denies or doubts, a cue close behind it may ("is not seen", "cannot be excluded").
3. A finding is present if any mention is, else uncertain if any is, else absent, mentioned or not.
4. There is "no finding" only where no disease is present or uncertain; devices are no disease.

Source: the idea of cues and their reach is NegEx (Chapman et al., 2001); phrases and cues are our own.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from operator import itemgetter
from typing import Any, Literal

from zerosight.data.chest.names import FINDINGS, NO_DISEASE, NO_FINDING
from zerosight.data.chest.reports import clean_report
from zerosight.data.rows import Record
from zerosight.files import packaged
from zerosight.guarded.yaml import parse_yaml

Status = Literal["present", "uncertain", "absent"]

_SENTENCE_END = re.compile(r"[.!?;:](?=\s|[A-Z]|$)|\n\s*\n|•")
_TOKEN = re.compile(r"\([^)]*\)|\S+")
_GAP = "[ -]+"
_REACH_BEHIND = 60
"""Characters behind a mention in which a cue may stand, our default."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One place in a report that names a finding.

    Attributes:
        finding: Canonical name.
        status: What the sentence says of it.
        words: The words that name it.
        sentence: The sentence, in one line.
    """

    finding: str
    status: Status
    words: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Phrases and cues, compiled.

    Attributes:
        phrases: Per finding what names it.
        exceptions: Per finding what looks like its name and is none.
        includes: Per finding those whose presence is its presence.
        before: Cues in front of a mention or inside it, one named group per kind.
        after: Cues behind a mention, likewise.
        neutral: What looks like a cue and is none.
    """

    phrases: Mapping[str, re.Pattern[str]]
    exceptions: Mapping[str, re.Pattern[str]]
    includes: Mapping[str, tuple[str, ...]]
    before: re.Pattern[str]
    after: re.Pattern[str]
    neutral: re.Pattern[str]


def extract_labels(text: str) -> dict[str, int | None]:
    """Return 1, 0 or None (uncertain) for every finding of :data:`FINDINGS`.

    Of an empty text nothing is known: every value is None.

    >>> labels = extract_labels("No pleural effusion. Stable cardiomegaly. Possible pneumonia.")
    >>> [labels[name] for name in ("pleural effusion", "cardiomegaly", "pneumonia", "no finding")]
    [0, 1, None, 0]
    """
    if not text.strip():
        return dict.fromkeys(FINDINGS)
    found: dict[str, set[Status]] = {name: set() for name in FINDINGS}
    for mention in find_mentions(text):
        found[mention.finding].add(mention.status)
    for whole, parts in _lexicon().includes.items():
        found[whole].update(*(found[part] for part in parts))
    labels: dict[str, int | None] = {name: _label(statuses) for name, statuses in found.items()}
    labels[NO_FINDING] = int(all(labels[name] == 0 for name in FINDINGS if name not in NO_DISEASE))
    return labels


def report_labels(text: str) -> dict[str, int | None]:
    """Return the labels of a whole report as it is in the file, cleaned first; of other languages, all None.

    >>> report_labels("INDICATION: pneumonia?\\nIMPRESSION: No acute disease.")["pneumonia"]
    0
    """
    report = clean_report(text)
    return extract_labels(report.text if report.english else "")


def label_records(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records; those with text and without labels get what is read in the text."""
    for record in records:
        if record.text and not record.labels:
            yield replace(record, labels=report_labels(record.text))
        else:
            yield record


def find_mentions(text: str) -> Iterator[Mention]:
    """Yield the mentions of findings, sentence by sentence, in the order of :data:`FINDINGS` within each."""
    lexicon = _lexicon()
    for part in _SENTENCE_END.split(text):
        sentence = " ".join(part.split())
        plain = lexicon.neutral.sub(_blank, sentence.casefold())
        cues = [(cue.end(), cue.lastgroup or "") for cue in lexicon.before.finditer(plain)]
        for finding, phrases in lexicon.phrases.items():
            for match in phrases.finditer(lexicon.exceptions[finding].sub(_blank, plain)):
                status = _status(plain, match.end(), cues)
                if status is not None:
                    yield Mention(finding, status, match.group(), sentence)


def _status(sentence: str, end: int, cues: list[tuple[int, str]]) -> Status | None:
    """Return what a sentence says of the mention that ends there; None if it asks or tells of the past.

    Args:
        sentence: In small letters.
        end: Where the mention ends.
        cues: Where each cue of the kind that stands before mentions ends, ascending, and its kind.
    """
    place = bisect_right(cues, end, key=itemgetter(0))
    kind = cues[place - 1][1] if place else "affirmed"
    if kind == "affirmed":
        behind = _lexicon().after.search(sentence, end, end + _REACH_BEHIND)
        kind = (behind.lastgroup if behind else None) or kind
    statuses: dict[str, Status] = {"affirmed": "present", "absent": "absent", "uncertain": "uncertain"}
    return statuses.get(kind)


def _label(statuses: set[Status]) -> int | None:
    """Return the label of a finding from all that is said of it."""
    if "present" in statuses:
        return 1
    return None if "uncertain" in statuses else 0


@cache
def _lexicon() -> Lexicon:
    """Return the packaged words, compiled once."""
    words: dict[str, Any] = parse_yaml(packaged("data", "chest", "extract.yaml").read_text("utf-8"))
    findings: dict[str, dict[str, list[str]]] = words["findings"]
    return Lexicon(
        phrases={name: _compile(entry["phrases"]) for name, entry in findings.items()},
        exceptions={name: _compile(entry.get("except", ())) for name, entry in findings.items()},
        includes={name: tuple(entry["includes"]) for name, entry in findings.items() if "includes" in entry},
        before=_compile_kinds(words["before"]),
        after=_compile_kinds(words["after"]),
        neutral=_compile(words["neutral"]),
    )


def _compile(phrases: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that matches any of the phrases; of none, nothing."""
    return re.compile(rf"\b(?:{'|'.join(map(_pattern, phrases)) or '(?!)'})(?!\w)")


def _compile_kinds(kinds: Mapping[str, list[str]]) -> re.Pattern[str]:
    """Return a pattern whose last group names the kind; of two that begin alike the earlier kind wins."""
    groups = (f"(?P<{kind}>{'|'.join(map(_pattern, phrases))})" for kind, phrases in kinds.items())
    return re.compile(rf"\b(?:{'|'.join(groups)})(?!\w)")


def _pattern(phrase: str) -> str:
    """Return a phrase as a regular expression; the form is described in the file of the words.

    >>> bool(re.fullmatch(_pattern("heart ... (enlarge*|big)"), "heart is mildly enlarged"))
    True
    """
    pattern = ""
    for token in _TOKEN.findall(phrase):
        choices = [re.escape(choice).replace(r"\*", r"\w*") for choice in token.strip("()").split("|")]
        words = "|".join(filter(None, choices)).replace(r"\ ", _GAP)
        if token == "...":
            pattern += rf"(?:[\w/]+{_GAP}){{0,4}}?"
        else:
            pattern += f"(?:(?:{words}){_GAP})?" if "" in choices else f"(?:{words}){_GAP}"
    return pattern.removesuffix(_GAP)


def _blank(match: re.Match[str]) -> str:
    """Return as many blanks as the match has characters."""
    return " " * len(match.group())
