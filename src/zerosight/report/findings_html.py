"""The page of findings: each image beside its maps, and its findings by probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerosight.data.chest.names import NO_FINDING
from zerosight.report.entries import MAX_ROWS, entries
from zerosight.report.findings import (
    ATTENTION,
    UNFAMILIAR,
    FindingFormat,
    FindingRow,
    parse_finding_row,
)
from zerosight.report.html import REPORT
from zerosight.report.page import colour_scale, write_page
from zerosight.report.rows import PREDICTIONS, FailedRow, final_rows
from zerosight.types import MAP_THRESHOLD, FindingScore

RESEARCH_USE = (
    "Research use only. Not a medical device, not for diagnosis: a probability here is a model's output on "
    "an image, not a finding. A qualified person reads the image."
)
LISTED = 8
"""Findings shown per image before the rest is folded away."""


@dataclass(frozen=True, slots=True)
class Share:
    """How often a finding was called present.

    Attributes:
        name: The finding.
        present: Number of images at or above its threshold.
        mean: Mean probability over all images, in [0, 1].
    """

    name: str
    present: int
    mean: float


def write_finding_report(
    out: Path,
    title: str,
    model: Mapping[str, Any],
    created: str | None,
    *,
    notice: str = RESEARCH_USE,
    thumbnails: int = 100,
    pictures: str | None = None,
) -> Path:
    """Write ``report.html`` into a folder of findings and return its path.

    Args:
        out: The folder a ``ResultWriter`` with a :class:`FindingFormat` filled.
        title: What to call the run.
        model: What to say about the model, in this order; ``name`` goes into the heading.
        created: When, in the words to show.
        notice: The limit of use, shown on top.
        thumbnails: How many images get pictures, the highest probabilities first.
        pictures: Address of the pictures where they were sent to a store.

    Raises:
        OutputError: There are no results in the folder, or the page cannot be written.
    """
    rows = list(final_rows(out / PREDICTIONS, parse_finding_row))
    scored = sorted((row for row in rows if isinstance(row, FindingRow)), key=_first)
    known = [row for row in scored if row.is_familiar is not False]
    failed = [row for row in rows if isinstance(row, FailedRow)]
    names = list(dict.fromkeys(finding.name for row in scored for finding in row.findings))
    values = {
        "title": title,
        "model": dict(model),
        "created": created,
        "notice": notice,
        "entries": entries(pictures or out, scored[:MAX_ROWS], FindingFormat(names), thumbnails),
        "scored": len(scored),
        "positive": sum(any(finding.is_present for finding in _diseases(row)) for row in known),
        "unfamiliar": UNFAMILIAR,
        "strangers": len(scored) - len(known),
        "limitations": sorted({row.limitation for row in scored} - {""}),
        "failed": failed[:MAX_ROWS],
        "failures": len(failed),
        "listed": min(len(scored), MAX_ROWS),
        "pictured": min(len(scored), thumbnails),
        "shares": shares(known) or shares(scored),
        "modes": sorted({row.mode for row in scored}),
        "provenances": sorted({row.provenance for row in scored}),
        "thresholds": _thresholds(scored),
        "leading": {row.source: leading(row) for row in scored[:MAX_ROWS]},
        "attention": ATTENTION,
        "no_finding": NO_FINDING,
        "map_threshold": MAP_THRESHOLD,
        "most": LISTED,
        "scale": colour_scale(),
    }
    return write_page(out / REPORT, "findings.html.j2", values)


def shares(rows: Sequence[FindingRow]) -> list[Share]:
    """Return how often each finding was called present, the most frequent first."""
    found: dict[str, list[FindingScore]] = {}
    for row in rows:
        for finding in row.findings:
            found.setdefault(finding.name, []).append(finding)
    every = [
        Share(name, sum(f.is_present for f in of), sum(f.probability for f in of) / len(of))
        for name, of in found.items()
    ]
    return sorted(every, key=lambda share: (-share.present, -share.mean, share.name))


def leading(row: FindingRow) -> FindingScore | None:
    """Return the most probable disease of an image, or what there is if no disease was asked for."""
    return next(iter(_diseases(row)), next(iter(row.findings), None))


def _diseases(row: FindingRow) -> list[FindingScore]:
    """Return the findings that say something is there."""
    return [finding for finding in row.findings if finding.name != NO_FINDING]


def _first(row: FindingRow) -> tuple[bool, float, str]:
    """Return the sort key: the probability of the leading finding downwards, then the source.

    Images unlike those of training have no rank: they come last.
    """
    top = leading(row)
    if row.is_familiar is False or top is None:
        return row.is_familiar is False, 0.0, row.source
    return False, -top.probability, row.source


def _thresholds(rows: Sequence[FindingRow]) -> dict[str, str]:
    """Return each finding's thresholds in print, under one name where all are the same."""
    found: dict[str, set[float]] = {}
    for row in rows:
        for finding in row.findings:
            found.setdefault(finding.name, set()).add(finding.threshold)
    texts = {name: ", ".join(f"{value:.3g}" for value in sorted(values)) for name, values in found.items()}
    return {"every finding": min(texts.values())} if len(set(texts.values())) == 1 else texts
