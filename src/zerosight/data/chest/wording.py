"""Wording: a report in a radiologist's words, from labels and what is known beyond them.

The words are data (``wording.yaml`` beside this file); chance chooses among them. Training words the labels
of studies without a report so, and drawn chests get their reports here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from zerosight.data.chest.names import IMPLIES, NO_DISEASE, NO_FINDING, canonical
from zerosight.errors import DataError
from zerosight.files import packaged
from zerosight.guarded.yaml import parse_yaml

_DETAIL = 0.85  # chance that a known side, place or size is told


@runtime_checkable
class FindingDetail(Protocol):
    """What may be known of a finding beyond that it is there.

    Attributes:
        name: Canonical name.
        side: The patient's: ``right``, ``left``, ``both`` or ``middle``.
        place: Part of the lung or of the pleura: ``upper``, ``middle``, ``lower``, ``all``, ``apical`` …
        pattern: How it looks, such as ``tube`` of a device; empty where there is one way only.
        degree: How far it goes.
    """

    @property
    def name(self) -> str:
        """Canonical name."""
        ...

    @property
    def side(self) -> str:
        """The patient's side."""
        ...

    @property
    def place(self) -> str:
        """Part of the lung or of the pleura."""
        ...

    @property
    def pattern(self) -> str:
        """How it looks."""
        ...

    @property
    def degree(self) -> Literal["mild", "moderate", "severe"]:
        """The severity in a word."""
        ...


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words for one finding.

    Attributes:
        one: Noun phrases in the singular, or of a mass noun.
        absent: Nouns that are negated.
        seen: Part of a regular expression that tells a mention of it.
        both: Noun phrases in the plural, for both sides; empty where the singular serves.
        clear: Whole sentences that say it is not there.
    """

    one: tuple[str, ...]
    absent: tuple[str, ...]
    seen: str
    both: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """All the words, as the file has them.

    Attributes:
        findings: For every finding but ``no finding``.
        statements: Sentences around a phrase that say something is there.
        denials: Sentences around nouns that say they are not there.
        normal_impressions: What sums up a chest without a disease.
        clear_lungs: Sentences that deny all of ``lung_findings``.
        lung_findings: What clear lungs do not have.
        seldom_denied: Findings whose absence reports seldom mention.
        asides: Sentences that are true of any chest, so that they say nothing.
        views: How the picture was taken, ``supine`` or ``upright``.
        degrees: Words for a degree.
        sizes: Words for it where it is a size.
        devices: Words for a device by its pattern.
    """

    findings: Mapping[str, Phrases]
    statements: tuple[str, ...]
    denials: tuple[str, ...]
    normal_impressions: tuple[str, ...]
    clear_lungs: tuple[str, ...]
    lung_findings: tuple[str, ...]
    seldom_denied: tuple[str, ...]
    asides: tuple[str, ...]
    views: Mapping[str, tuple[str, ...]]
    degrees: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, tuple[str, ...]]
    devices: Mapping[str, tuple[str, ...]]


@cache
def words() -> Words:
    """Return the packaged words, read once."""
    text = packaged("data", "chest", "wording.yaml").read_text("utf-8")
    values: dict[str, Any] = _frozen(parse_yaml(text))
    return Words(**values | {"findings": {name: Phrases(**one) for name, one in values["findings"].items()}})


def _frozen(value: Any) -> Any:
    """Return parsed YAML with tuples for its lists."""
    if isinstance(value, dict):
        return {key: _frozen(one) for key, one in value.items()}
    return tuple(value) if isinstance(value, list) else value


def report_sentences(
    labels: Mapping[str, int | None],
    rng: np.random.Generator,
    findings: Sequence[FindingDetail] = (),
    supine: bool | None = None,
) -> str:
    """Return a report that states every present finding and denies only absent ones.

    Args:
        labels: Per finding 1 present, 0 absent, None not known; names in any spelling, unknown ones are
            worded as they are.
        rng: Source of the wording.
        findings: Side, place and severity, where they are known.
        supine: How the picture was taken, where it is known.

    Raises:
        DataError: No label is known, a value is not 0, 1 or None, or ``no finding`` contradicts another.

    >>> report_sentences({"edema": 1}, np.random.default_rng(0)).startswith("Findings:")
    True
    """
    known = _checked(labels)
    present = [name for name, value in known.items() if value == 1 and name != NO_FINDING]
    absent = [name for name, value in known.items() if value == 0 and name != NO_FINDING]
    diseases = [name for name in present if name not in NO_DISEASE]
    normal = not diseases and (known.get(NO_FINDING) == 1 or bool(absent))
    if known.get(NO_FINDING) == 1:
        absent += [name for name in words().findings if name not in known]
    told = {parent: finding for finding in findings for parent in IMPLIES.get(finding.name, ())}
    told |= {finding.name: finding for finding in findings}
    body = [_statement(_phrase(name, told.get(name), rng), rng) for name in _leading(present)]
    body += _missing(present, body, told, rng)
    body = [*body, *_denials(absent, rng)] if rng.random() < 0.6 else [*_denials(absent, rng), *body]
    if supine is not None and rng.random() < 0.4:
        body.insert(0, _pick(words().views["supine" if supine else "upright"], rng))
    if rng.random() < 0.35 or not body:
        body.insert(int(rng.integers(len(body) + 1)), _pick(words().asides, rng))
    impression = _impression(_leading(diseases), normal, told, rng)
    return f"Findings: {' '.join(body)}\nImpression: {impression}"


def _checked(labels: Mapping[str, int | None]) -> dict[str, int]:
    """Return the labels that are known, by canonical name."""
    known: dict[str, int] = {}
    for name, value in labels.items():
        if value is not None:
            if value not in (0, 1):
                raise DataError(f"label {name[:80]!r} is {value!r}; it should be 1, 0 or null")
            known[canonical(name)] = int(value)
    if not known:
        raise DataError("no label is known, so there is nothing to report; give at least one 0 or 1")
    others = [n for n, value in known.items() if value == 1 and n not in NO_DISEASE]
    if known.get(NO_FINDING) == 1 and others:
        raise DataError(f"{NO_FINDING!r} contradicts {others[0]!r}; one of the two should be 0 or null")
    return known


def _leading(present: Sequence[str]) -> list[str]:
    """Return the findings without those that another one implies and whose phrases say so."""
    implied = {parent for name in present for parent in IMPLIES.get(name, ())}
    return [name for name in present if name not in implied]


def _missing(
    present: Sequence[str], body: Sequence[str], told: Mapping[str, FindingDetail], rng: np.random.Generator
) -> list[str]:
    """Return statements of the present findings that no sentence has mentioned yet."""
    text = " ".join(body)
    return [
        _statement(_phrase(name, told.get(name), rng), rng) for name in present if not mentions(text, name)
    ]


def mentions(text: str, name: str) -> bool:
    """Return whether a text names a finding, present or denied.

    >>> mentions("No pleural fluid is seen.", "pleural effusion")
    True
    """
    wording = words().findings.get(name)
    seen = wording.seen if wording else re.escape(name)
    return re.search(rf"\b(?:{seen})", text, re.IGNORECASE) is not None


def _phrase(name: str, finding: FindingDetail | None, rng: np.random.Generator) -> str:
    """Return a noun phrase for a present finding; a plural one begins with ``*``."""
    wording = words().findings.get(name) or Phrases((name,), (name,), re.escape(name))
    both = finding is not None and finding.side == "both" and bool(wording.both)
    template = _pick(wording.both if both else wording.one, rng)
    slots = _slots(finding, rng)
    text = re.sub(r"\{(\w+)\}", lambda match: slots.get(match[1], ""), template)
    text = " ".join(text.split()).replace(" ,", ",")
    text = re.sub(r"\ba (?=[aeio])", "an ", text)
    text = re.sub(r"\ban (?=[^aeio])", "a ", text)
    head = text.split(" in ")[0].split(" compatible ")[0].split(" consistent ")[0].split(" with ")[0]
    plural = both and re.search(r"(?:s|ces)$", head.split(",")[0].split(" of ")[0]) is not None
    return f"*{text}" if plural and not head.endswith(("atelectasis", "markings")) else text


def _slots(finding: FindingDetail | None, rng: np.random.Generator) -> dict[str, str]:
    """Return the words for what is known of a finding; each is told most of the time."""
    devices = words().devices
    device = _pick(devices[str(rng.choice(list(devices)))], rng)
    if finding is None:
        return {"device": device}
    slots = {
        "degree": _pick(words().degrees[finding.degree], rng),
        "size": _pick(words().sizes[finding.degree], rng),
        "side": {"both": "bilateral", "middle": ""}.get(finding.side, finding.side),
    }
    place = _place(finding)
    if place:
        slots |= {"where": f" in {place}", "where_first": place.removeprefix("the ")}
    slots = {key: value for key, value in slots.items() if rng.random() < _DETAIL}
    if finding.name == "pleural thickening":
        slots["rim"] = " at the apex" if finding.place == "apical" else " along the chest wall"
    return slots | {"device": _pick(devices.get(finding.pattern, (device,)), rng)}


def _place(finding: FindingDetail) -> str:
    """Return where in the lungs a finding is, with the words of its kind: lobes, zones or bases."""
    if finding.side == "middle" or finding.name == "pleural effusion":
        return ""
    if finding.side == "both":
        zone = {"upper": "both upper lungs", "lower": "both lower lungs", "middle": "both mid lungs"}
        return zone.get(finding.place, "both lungs")
    if finding.place == "all":
        return f"the {finding.side} lung"
    if finding.name in ("nodule", "mass", "infiltration", "lung opacity"):
        return f"the {finding.side} {'mid' if finding.place == 'middle' else finding.place} lung"
    if finding.place == "middle":
        return "the right middle lobe" if finding.side == "right" else "the lingula"
    return f"the {finding.side} {finding.place} lobe"


def _statement(phrase: str, rng: np.random.Generator) -> str:
    """Return a sentence that says something is there."""
    plain = phrase.lstrip("*")
    be = "are" if phrase.startswith("*") else "is"
    frame = _pick(words().statements, rng)
    return (
        frame.replace("{is}", be).replace("{phrase}", plain).replace("{Phrase}", plain[0].upper() + plain[1:])
    )


def _denials(absent: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Return sentences that deny some of the absent findings, in the words of normal reports."""
    sentences: list[str] = []
    left = [name for name in absent if name not in words().seldom_denied or rng.random() < 0.04]
    if set(words().lung_findings) <= set(absent) and rng.random() < 0.6:
        sentences.append(_pick(words().clear_lungs, rng))
        left = [name for name in left if name not in words().lung_findings]
    listed: list[str] = []
    for name in rng.permutation(np.array(left, dtype=object)):
        wording = words().findings.get(str(name))
        usual = name in ("pleural effusion", "pneumothorax", "consolidation", "cardiomegaly")
        if rng.random() > (0.8 if usual else 0.22):
            continue
        if wording is not None and wording.clear and rng.random() < 0.7:
            sentences.append(_pick(wording.clear, rng))
        else:
            listed.append(_pick(wording.absent, rng) if wording else str(name))
    while listed:
        count = int(rng.integers(1, 4))
        sentences.append(_pick(words().denials, rng).replace("{nouns}", _joined(listed[:count])))
        listed = listed[count:]
    return [sentences[k] for k in rng.permutation(len(sentences))]


def _impression(
    present: Sequence[str], normal: bool, told: Mapping[str, FindingDetail], rng: np.random.Generator
) -> str:
    """Return the summary: what is present, or that nothing is."""
    if not present:
        return _pick(words().normal_impressions, rng) if normal else "As above."
    phrases = [_phrase(name, told.get(name), rng).lstrip("*") for name in present]
    plain = [re.sub(r"^an? ", "", phrase) for phrase in phrases]
    lines = [phrase[0].upper() + phrase[1:] + "." for phrase in plain]
    if len(lines) > 1 and rng.random() < 0.5:
        return " ".join(f"{number}. {line}" for number, line in enumerate(lines, 1))
    return " ".join(lines)


def _joined(nouns: Sequence[str]) -> str:
    """Return nouns as a list with ``or``."""
    if len(nouns) < 3:
        return " or ".join(nouns)
    return f"{', '.join(nouns[:-1])}, or {nouns[-1]}"


def _pick(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
