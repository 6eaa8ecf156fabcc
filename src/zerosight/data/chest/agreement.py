"""How well the extractor agrees with people: the Indiana reports against the terms they were indexed by.

The word lists were written while looking at the reports with even numbers; those with odd numbers are held
out and say what to expect of other reports. Reports without text, or that nobody indexed, are not counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from zerosight.choices import ReportPart
from zerosight.data.chest.extract import extract_labels
from zerosight.data.chest.indiana import IndianaReport
from zerosight.data.chest.names import NO_DISEASE, NO_FINDING
from zerosight.data.chest.reports import clean_report
from zerosight.files import packaged
from zerosight.guarded.yaml import parse_yaml

Label = int | None
_NOT_INDEXED = "no indexing"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How extraction and index agree on one finding; uncertain labels are counted apart.

    Attributes:
        finding: Canonical name.
        both: Reports in which both have it.
        extractor_only: Reports in which the extractor alone has it.
        index_only: Reports in which the index alone has it.
        neither: Reports in which neither has it.
        uncertain: Reports that leave it uncertain.
        uncertain_indexed: Those of them whose index has it.
    """

    finding: str
    both: int
    extractor_only: int
    index_only: int
    neither: int
    uncertain: int
    uncertain_indexed: int

    @property
    def precision(self) -> float:
        """Share of the extractor's positives that are in the index; NaN without any."""
        return _ratio(self.both, self.both + self.extractor_only)

    @property
    def recall(self) -> float:
        """Share of the index's positives that the extractor has; NaN without any."""
        return _ratio(self.both, self.both + self.index_only)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where neither has any."""
        return _ratio(2 * self.both, 2 * self.both + self.extractor_only + self.index_only)

    def to_json(self) -> dict[str, Any]:
        """Return counts and rates as plain JSON values; what is not defined is null."""
        counts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        rates = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return counts | {name: None if rate != rate else round(rate, 4) for name, rate in rates.items()}


def label_agreement(reports: Iterable[IndianaReport], part: ReportPart = "held-out") -> tuple[Agreement, ...]:
    """Return the agreement per finding, the most frequent in the index first.

    Args:
        reports: As :func:`zerosight.data.chest.indiana.indiana_reports` yields them.
        part: The reports with odd numbers (held out), with even ones (tuning), or all.
    """
    counts: dict[str, Counter[tuple[Label, bool]]] = {}
    for report in reports:
        if not _in_part(report, part):
            continue
        found = extract_labels(clean_report(f"{report.findings}\n\n{report.impression}").text)
        for finding, indexed in index_labels(report.mesh).items():
            if indexed is not None:
                counts.setdefault(finding, Counter())[found[finding], bool(indexed)] += 1
    rows = [_agreement(finding, tally) for finding, tally in counts.items()]
    return tuple(sorted(rows, key=lambda row: -(row.both + row.index_only + row.uncertain_indexed)))


def index_labels(terms: Iterable[str]) -> dict[str, Label]:
    """Return 1, 0 or None (left open) for the findings that terms of the index can name.

    >>> labels = index_labels(["Cardiomegaly/mild", "Volume Loss/lung/left"])
    >>> labels["cardiomegaly"], labels["edema"], labels["atelectasis"]
    (1, 0, None)
    """
    plain = [term.lower() for term in terms]
    labels: dict[str, Label] = {}
    for finding, (means, leaves_open) in _index().items():
        meant = [term for term in plain if means.match(term)]
        opened = any(leaves_open.match(term) for term in plain)
        labels[finding] = 1 if meant else None if opened else 0
    diseases = [label for finding, label in labels.items() if finding not in NO_DISEASE]
    labels[NO_FINDING] = 0 if 1 in diseases else None if None in diseases else 1
    return labels


def _in_part(report: IndianaReport, part: ReportPart) -> bool:
    """Return whether a report counts."""
    indexed = bool(report.mesh) and _NOT_INDEXED not in (term.lower() for term in report.mesh)
    if not indexed or not (report.findings or report.impression):
        return False
    return part == "all" or (int(report.uid) % 2 == 1) == (part == "held-out")


def _agreement(finding: str, tally: Mapping[tuple[Label, bool], int]) -> Agreement:
    return Agreement(
        finding,
        both=tally[1, True],
        extractor_only=tally[1, False],
        index_only=tally[0, True],
        neither=tally[0, False],
        uncertain=tally[None, True] + tally[None, False],
        uncertain_indexed=tally[None, True],
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


@cache
def _index() -> dict[str, tuple[re.Pattern[str], re.Pattern[str]]]:
    """Return per finding what means it and what leaves it open."""
    text = packaged("data", "chest", "mesh.yaml").read_text("utf-8")
    return {
        finding: (_terms(entry["means"]), _terms(entry["open"]))
        for finding, entry in parse_yaml(text).items()
    }


def _terms(terms: list[str]) -> re.Pattern[str]:
    """Return a pattern of beginnings of terms, up to a slash or their end; of none, nothing."""
    parts = [re.escape(term).replace(r"\*", ".*") for term in terms]
    return re.compile(rf"(?:{'|'.join(parts) or '(?!)'})(?:/|$)")
