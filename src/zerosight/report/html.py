"""HTML: one self-contained page from a folder of results, to look at and to pass on.

The page is made from what :class:`zerosight.report.writer.ResultWriter` left in the folder, so a resumed
run gets a whole report. Pictures, style and script are inside the page, and its own policy forbids it to
load anything else. Only the links to the saved full-size pictures need the folder beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zerosight.report.entries import MAX_ROWS, entries
from zerosight.report.formats import AnomalyFormat
from zerosight.report.page import colour_scale, write_page
from zerosight.report.rows import PREDICTIONS, FailedRow, ScoredRow, final_rows, parse_row
from zerosight.types import UNLIKE

REPORT = "report.html"
_BARS = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the score histogram: how many images score in [low, high), the last bar's 1 included."""

    low: float
    high: float
    count: int
    anomalous: bool


def write_report(
    out: Path,
    title: str,
    model: Mapping[str, Any],
    created: str | None,
    *,
    notice: str | None = None,
    thumbnails: int = 100,
    pictures: str | None = None,
) -> Path:
    """Write ``report.html`` into a folder of results and return its path.

    Args:
        out: The folder a ``ResultWriter`` filled.
        title: What to call the run.
        model: What to say about the model, in this order; ``name`` goes into the heading.
        created: When, in the words to show.
        notice: A limit of use to show on top, such as "Research use only".
        thumbnails: How many images get pictures, the highest scores first. One takes about 75 kB of page.
        pictures: Address of the pictures where they were sent to a store.

    Raises:
        OutputError: There are no results in the folder, or the page cannot be written.
    """
    rows = list(final_rows(out / PREDICTIONS, parse_row))
    scored = sorted((row for row in rows if isinstance(row, ScoredRow)), key=_worst_first)
    failed = [row for row in rows if isinstance(row, FailedRow)]
    layout = AnomalyFormat()
    known = [row for row in scored if row.is_familiar is not False]
    values = {
        "title": title,
        "model": dict(model),
        "created": created,
        "notice": notice,
        "entries": entries(pictures or out, scored[:MAX_ROWS], layout, thumbnails),
        "scored": len(scored),
        "anomalous": sum(row.is_anomalous for row in known),
        "strangers": len(scored) - len(known),
        "unlike": UNLIKE,
        "failed": failed[:MAX_ROWS],
        "failures": len(failed),
        "listed": min(len(scored), MAX_ROWS),
        "pictured": sum(any(map(layout.is_shown, row.files)) for row in scored[:thumbnails]),
        "thresholds": sorted({row.threshold for row in scored}),
        "pixel_thresholds": sorted({row.pixel_threshold for row in scored}),
        "normals": any(row.normal for row in scored),
        "bars": histogram(known),
        "scale": colour_scale(),
    }
    return write_page(out / REPORT, "report.html.j2", values)


def histogram(rows: Sequence[ScoredRow]) -> list[Bar]:
    """Return the bars of the scores over [0, 1]; a bar is anomalous if most of its images are."""
    places = [min(int(row.score * _BARS), _BARS - 1) for row in rows]
    counts = np.bincount(places, minlength=_BARS) if rows else np.zeros(_BARS, int)
    found = (
        np.bincount(places, weights=[row.is_anomalous for row in rows], minlength=_BARS) if rows else counts
    )
    return [
        Bar(i / _BARS, (i + 1) / _BARS, int(count), bool(2 * hits > count))
        for i, (count, hits) in enumerate(zip(counts, found, strict=True))
    ]


def _worst_first(row: ScoredRow) -> tuple[float, str]:
    """Return the sort key: the score downwards, then the source."""
    return -row.score, row.source
