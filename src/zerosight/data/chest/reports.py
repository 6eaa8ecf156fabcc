"""Radiology reports as hospitals write them: the two sections that describe the image, without noise."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

MAX_CHARACTERS = 20_000
"""A report is cut beyond it, our default; the longest real ones have a tenth of that."""

_ENGLISH_WORDS = """
    abnormalities abnormality airspace and are at be been bones bony but by cardiomegaly cardiopulmonary
    changes chest clear consolidation definite degenerative disease effusion effusions emphysema
    enlarged evidence findings for from heart identified intact is it left limits lobe lower lung lungs
    mediastinum mild minimal not noted of opacities or process pulmonary rib ribs right scarring seen
    size small spine stable that the there these this to unchanged unremarkable upper visualized was
    which with within without
"""
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
"""Words of English reports that those of other languages do not share."""

_ENGLISH_SHARE = 0.15
_FEWEST_WORDS = 4

_HEADERS = {
    "findings": "findings",
    "finding": "findings",
    "report": "findings",
    "findings and impression": "findings",
    "findings/impression": "findings",
    "impression": "impression",
    "impressions": "impression",
    "conclusion": "impression",
    "conclusions": "impression",
    "summary": "impression",
    "opinion": "impression",
} | dict.fromkeys(
    (
        *("addendum", "clinical history", "clinical indication", "clinical information", "comparison"),
        *("comparisons", "exam", "examination", "final report", "history", "indication", "indications"),
        *("notification", "procedure", "reason for exam", "reason for examination", "recommendation"),
        *("recommendations", "study", "technique", "type of examination", "view", "views", "wet read"),
    ),
    "other",
)
_HEADER = re.compile(
    rf"^[ \t]*({'|'.join(map(re.escape, sorted(_HEADERS, key=len, reverse=True)))})[ \t]*(?::|$)",
    re.IGNORECASE | re.MULTILINE,
)
_OPEN_I = re.compile(r"<AbstractText\s+Label=\"([^\"<>]{1,40})\"\s*>([^<]*)</AbstractText>")
_X_RAY = re.compile(r"\bx-XXXX\b", re.IGNORECASE)
_REMOVED = re.compile(r"\[\*\*[^\[\]\n]*\*\*\]|-?X{3,}-?|_{2,}|\[REDACTED\]|<DEID>")
_BEFORE_STOP = re.compile(r"[ ]+([.,;:)])")


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says of its image.

    Attributes:
        findings: The section, or the whole report where it has no sections; may be empty.
        impression: The section; empty where there is none.
        english: Whether it reads as English; the words of any extraction are.
        cut: Whether the report was longer than is read.
    """

    findings: str
    impression: str
    english: bool
    cut: bool

    @property
    def text(self) -> str:
        """Both sections as paragraphs."""
        return "\n\n".join(filter(None, (self.findings, self.impression)))


def clean_report(text: str) -> Report:
    """Return the findings and the impression of a report, without marks of de-identification.

    Understood are headers on lines of their own or before their text (``FINDINGS:``, as in MIMIC-CXR), the
    XML of Open-I, and plain text, which is all findings. Where there are headers but none of the two
    sections, what follows the first paragraph of the last section is the findings, as often in MIMIC-CXR.

    Args:
        text: Of any length and language; beyond :data:`MAX_CHARACTERS` characters it is not read.

    >>> clean_report("INDICATION: cough. \\nFINDINGS: Clear  lungs. ___ \\nIMPRESSION: Normal.").text
    'Clear lungs.\\n\\nNormal.'
    """
    cut = len(text) > MAX_CHARACTERS
    text = text[:MAX_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n")
    sections = _sections(text)
    findings, impression = (_tidy(sections.get(name, "")) for name in ("findings", "impression"))
    return Report(findings, impression, _is_english(f"{findings} {impression}"), cut)


def _sections(text: str) -> dict[str, str]:
    """Return the text by section: findings, impression."""
    marked = _OPEN_I.findall(text)
    if marked:
        return {label.casefold(): html.unescape(body) for label, body in marked}
    headers = list(_HEADER.finditer(text))
    if not headers:
        return {"findings": text}
    sections: dict[str, str] = {}
    last = ""
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        kind = _HEADERS[header[1].casefold()]
        last = text[header.end() : end]
        sections[kind] = f"{sections.get(kind, '')}\n{last}"
    if "findings" not in sections and "impression" not in sections:
        sections["findings"] = last.partition("\n\n")[2]
    return sections


def _tidy(text: str) -> str:
    """Return the text in one line without marks of de-identification."""
    text = _REMOVED.sub(" ", _X_RAY.sub("x-ray", text))
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return _BEFORE_STOP.sub(r"\1", clean)


def _is_english(text: str) -> bool:
    """Return whether enough of the words are those of English reports; very few words pass."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    if len(words) < _FEWEST_WORDS:
        return text.isascii()
    return sum(word in _ENGLISH for word in words) >= _ENGLISH_SHARE * len(words)
